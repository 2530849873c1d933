import type { Viewer } from '../access/viewer.ts';
import { actor, actorKind } from './actor.ts';
import { agent } from './agent.ts';
import { builder } from './builder.ts';
import { organization } from './organization.ts';
import { role } from './role.ts';

const viewer = builder.objectRef<Viewer>('Viewer').implement({
  description: 'Who is asking.',
  fields: (t) => ({
    kind: t.expose('kind', { type: actorKind, description: 'Operator or agent.' }),
    actor: t.expose('actor', { type: actor, description: 'How what this token does is kept.' }),
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
