import { builder } from './builder.ts';
import { node } from './node.ts';

export const organization = builder.prismaObject('Organization', {
  description: 'A tenant. Everything else belongs to one, and is invisible to the others.',
  interfaces: [node],
  select: { id: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'For people.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
  }),
});
