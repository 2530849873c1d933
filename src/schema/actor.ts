import type { Actor } from '../access/viewer.ts';
import { builder } from './builder.ts';

export const actorKind = builder.enumType('ActorKind', {
  description: 'What kind of caller a token belongs to.',
  values: {
    OPERATOR: { description: 'A person, or a program that acts for one.' },
    AGENT: { description: 'An agent that calls with its own token.' },
  },
});

export const actor = builder.objectRef<Actor>('Actor').implement({
  description: 'Who did something. It is kept as it was, also when the token or the agent is gone.',
  fields: (t) => ({
    kind: t.expose('kind', { type: actorKind, description: 'Operator or agent.' }),
    id: t.exposeID('id', {
      description: 'Of the operator token or the agent; for an operator of an identity provider, the subject there.',
    }),
    name: t.exposeString('name', { description: 'Of the operator token or the agent.' }),
    credential: t.exposeString('credential', {
      description: 'The first characters of the token, to tell it from others.',
    }),
  }),
});
