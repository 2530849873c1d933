import { DEFAULT_COMMUNICATION_STYLE, DEFAULT_ROLE, type IdentityProfile } from './variables.ts';

/** An identity profile with its defaults filled in. */
export interface FullProfile {
  role: string;
  expertise: string[];
  tone: string | null;
  communicationStyle: string;
  constraints: string[];
  workingHours: string | null;
  emoji: string | null;
  extra: Record<string, unknown>;
}

/** The stored JSON as it was given; only fleet/agent-settings.ts writes it, and it checks the form. */
export function storedProfileOf(json: unknown): IdentityProfile {
  return (json ?? {}) as IdentityProfile;
}

export function readProfile(json: unknown): FullProfile {
  const profile = storedProfileOf(json);
  return {
    role: profile.role?.trim() || DEFAULT_ROLE,
    expertise: [...(profile.expertise ?? [])],
    tone: profile.tone || null,
    communicationStyle: profile.communicationStyle?.trim() || DEFAULT_COMMUNICATION_STYLE,
    constraints: [...(profile.constraints ?? [])],
    workingHours: profile.workingHours || null,
    emoji: profile.emoji || null,
    extra: { ...profile.extra },
  };
}
