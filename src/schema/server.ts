import { VERSION } from '../version.ts';
import { builder } from './builder.ts';

const server = builder.simpleObject('Server', {
  description: 'This Mission Control itself.',
  fields: (t) => ({
    version: t.string({ description: 'The version that it runs, for example 0.1.0.' }),
  }),
});

builder.queryField('server', (t) =>
  t.field({
    type: server,
    description: 'The server that answers.',
    resolve: () => ({ version: VERSION }),
  }),
);
