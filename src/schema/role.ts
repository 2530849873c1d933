import { builder } from './builder.ts';

export const role = builder.enumType('Role', {
  description: 'What an operator may do; each role includes the ones below it.',
  values: {
    OWNER: { description: 'Everything, other owners’ tokens included.' },
    ADMIN: { description: 'Everything but making and revoking owners’ tokens, and making organizations.' },
    MEMBER: { description: 'Reads everything; tasks, messages, waking, pausing and resuming agents.' },
    VIEWER: { description: 'Reads everything but who did what in the whole organization, and the tokens.' },
  },
});
