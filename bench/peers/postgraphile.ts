import { createServer } from 'node:http';
import { postgraphile } from 'postgraphile';
import { makePgService } from 'postgraphile/adaptors/pg';
import { lambda } from 'postgraphile/grafast';
import { grafserv } from 'postgraphile/grafserv/node';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { extendSchema, gql } from 'postgraphile/utils';
import { listen } from './listen.ts';

// PostGraphile on this server's tables, as it comes, with the two fields that are no columns.

const computed = extendSchema({
  typeDefs: gql`
    extend type Agent {
      isBoardLead: Boolean!
      sessionKey: String!
    }
  `,
  objects: {
    Agent: {
      plans: {
        isBoardLead: (agent) => lambda(agent.get('kind'), (kind) => kind === 'BOARD_LEAD', true),
        sessionKey: (agent) => lambda(agent.get('openclawAgentId'), (id) => `agent:${id}:main`, true),
      },
    },
  },
});

const instance = postgraphile({
  extends: [PostGraphileAmberPreset],
  plugins: [computed],
  pgServices: [makePgService({ connectionString: process.env.DATABASE_URL ?? '', schemas: ['public'] })],
  grafserv: { graphqlPath: '/graphql', graphiql: false, websockets: false },
});
const http = createServer();
await instance.createServ(grafserv).addTo(http);
// So that it is ready when it says so.
await instance.getSchema();
listen(http);
