import { builder } from './builder.ts';

/** What every object with an id has in common. */
export const node = builder.interfaceRef<{ id: string }>('Node').implement({
  description: 'Anything that has an id.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'UUID (version 7 for what this server creates), unique across all types.' }),
  }),
});
