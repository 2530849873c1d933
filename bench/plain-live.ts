import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { useServer } from 'graphql-ws/use/ws';
import { createYoga } from 'graphql-yoga';
import { WebSocketServer } from 'ws';
import { Authenticator } from '../src/access/authenticate.ts';
import { TokenUses } from '../src/access/token-uses.ts';
import { openDatabase } from '../src/db/database.ts';
import { EventFeed } from '../src/events/feed.ts';
import { createLog } from '../src/log.ts';
import { schema } from '../src/schema/index.ts';

// The same schema on the same log as anybody would serve it: graphql-ws and yoga's server-sent events as they come, with
// GraphQL's own subscribe for each subscriber. It only follows: a server beside it is asked for the changes.

const { DATABASE_URL: databaseUrl = null, ADMIN_TOKEN = '' } = process.env;
const log = createLog('error');
const database = await openDatabase({ dataDir: '', databaseUrl });
const feed = new EventFeed(database, log);
await feed.start();
const uses = new TokenUses(database.prisma, log);
const signedIn = await new Authenticator(database, null, uses).signIn(ADMIN_TOKEN);
if (!signedIn) throw new Error('ADMIN_TOKEN is not known to the database.');
const context = () => ({ viewer: signedIn.viewer, fleet: { database }, feed, lastEventId: null, logPosition: null });

const yoga = createYoga({ schema, context, graphiql: false, logging: false });
const http = createServer(yoga);
const sockets = new WebSocketServer({ server: http, path: '/graphql' });
useServer({ schema, context }, sockets);
http.listen(0, '127.0.0.1', () => {
  const { port } = http.address() as AddressInfo;
  process.stdout.write(`{"msg":"listening","url":"http://127.0.0.1:${port}"}\n`);
});
// For whoever waits until it is ready.
http.prependListener('request', (request, response) => {
  if (request.url === '/readyz') response.end();
});
process.on('SIGTERM', () => process.exit(0));
