import type { Viewer } from '../access/viewer.ts';
import { agent } from './agent.ts';
import { builder } from './builder.ts';
import { organization } from './organization.ts';

const role = builder.enumType('Role', {
  description: 'What an operator may do; each role includes the ones below it.',
  values: {
    OWNER: { description: 'Everything, other owners’ tokens included.' },
    ADMIN: { description: 'Everything but owners’ tokens.' },
    MEMBER: { description: 'Reads everything; tasks, messages, waking, pausing and resuming agents.' },
    VIEWER: { description: 'Reads everything.' },
  },
});

const actorKind = builder.enumType('ActorKind', {
  description: 'What kind of caller a token belongs to.',
  values: {
    OPERATOR: { description: 'A person, or a program that acts for one.' },
    AGENT: { description: 'An agent that calls with its own token.' },
  },
});

const viewer = builder.objectRef<Viewer>('Viewer').implement({
  description: 'Who is asking.',
  fields: (t) => ({
    kind: t.expose('kind', { type: actorKind, description: 'Operator or agent.' }),
    organization: t.prismaField({
      type: organization,
      description: 'The organization that the token belongs to.',
      resolve: (query, { organizationId }, _args, { fleet }) =>
        fleet.database.prisma.organization.findUniqueOrThrow({ ...query, where: { id: organizationId } }),
    }),
    role: t.field({
      type: role,
      nullable: true,
      description: 'Null for an agent.',
      resolve: (self) => (self.kind === 'OPERATOR' ? self.role : null),
    }),
    agent: t.prismaField({
      type: agent,
      nullable: true,
      description: 'The agent that this token belongs to; null for an operator.',
      resolve: (query, self, _args, { fleet }) =>
        self.kind === 'OPERATOR'
          ? null
          : fleet.database.prisma.agent.findUnique({ ...query, where: { id: self.agentId } }),
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: viewer,
    description: 'Who this token belongs to.',
    resolve: (_root, _args, context) => context.viewer,
  }),
);
