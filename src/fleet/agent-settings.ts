import { z } from 'zod';
import type { Prisma } from '../generated/prisma/client.ts';
import { json, line, text } from './validation.ts';

// What can be chosen about an agent when it is created or changed.

const optionalLine = (longest: number) => z.union([z.literal(''), line(longest)]).nullish();

export const identityProfileInput = z.object({
  role: optionalLine(200),
  expertise: z.array(line(200)).max(50, 'must have at most 50 entries').nullish(),
  tone: optionalLine(500),
  communicationStyle: optionalLine(500),
  constraints: z.array(line(500)).max(50, 'must have at most 50 entries').nullish(),
  workingHours: optionalLine(200),
  emoji: optionalLine(16),
  extra: json(10_000, 5)
    .refine((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'must be a JSON object')
    .nullish(),
});

export const heartbeatInput = z.object({
  enabled: z.boolean().nullish(),
  intervalSeconds: z.int().min(30, 'must be at least 30').max(86_400, 'must be at most 86400').nullish(),
});

/** The longest template that is accepted: a document of the gateway holds 20,000 characters. */
export const templateInput = text(50_000).nullish();

/** The identity profile as it is stored: what was given, and nothing else. */
export function storedProfile(
  profile: z.infer<typeof identityProfileInput> | null | undefined,
): Prisma.InputJsonObject {
  const given = Object.entries(profile ?? {}).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(given) as Prisma.InputJsonObject;
}

/** The stored profile with the given fields in place of its own; null takes one out. */
export function mergedProfile(stored: object, given: z.infer<typeof identityProfileInput>): Prisma.InputJsonObject {
  return storedProfile({ ...stored, ...given });
}
