import { readProfile } from '../provisioning/profile.ts';
import { builder } from './builder.ts';

/** Backed by the stored JSON. */
export const identityProfile = builder.objectRef<unknown>('IdentityProfile').implement({
  description: 'Who an agent is, with the defaults filled in.',
  fields: (t) => ({
    role: t.string({ description: 'For example: DevOps Engineer.', resolve: (json) => readProfile(json).role }),
    expertise: t.stringList({ description: 'What it knows well.', resolve: (json) => readProfile(json).expertise }),
    tone: t.string({ nullable: true, description: 'How it sounds.', resolve: (json) => readProfile(json).tone }),
    communicationStyle: t.string({
      description: 'How it writes.',
      resolve: (json) => readProfile(json).communicationStyle,
    }),
    constraints: t.stringList({
      description: 'What it must keep to.',
      resolve: (json) => readProfile(json).constraints,
    }),
    workingHours: t.string({
      nullable: true,
      description: 'When it is to work.',
      resolve: (json) => readProfile(json).workingHours,
    }),
    emoji: t.string({ nullable: true, description: 'Its sign.', resolve: (json) => readProfile(json).emoji }),
    extra: t.field({
      type: 'JSON',
      description: 'Any further fields, as they were given.',
      resolve: (json) => readProfile(json).extra,
    }),
  }),
});
