import { setTimeout as sleep } from 'node:timers/promises';
import { type Config, usingSetting, wrongSetting } from './config.ts';
import { type Database, openDatabase } from './db/database.ts';
import { createSecretBox } from './db/secrets.ts';
import { EventFeed } from './events/feed.ts';
import type { Fleet } from './fleet/fleet.ts';
import { Heartbeats } from './fleet/heartbeats.ts';
import { LivenessSweep } from './fleet/liveness.ts';
import { ensureFirstOrganization } from './fleet/organizations.ts';
import { SignsOfLife } from './fleet/signs-of-life.ts';
import { createGraphQL } from './http/graphql.ts';
import { HttpServer } from './http/http-server.ts';
import { serveSockets } from './http/websocket.ts';
import type { Log } from './log.ts';
import { GatewayLinks } from './provisioning/links.ts';
import { ReconcileQueue } from './provisioning/queue.ts';
import { reconcileGateway } from './provisioning/reconcile.ts';
import { readTemplates } from './provisioning/template-folder.ts';
import { Workspaces } from './provisioning/workspaces.ts';
import { schema } from './schema/index.ts';
import { secretKeysOf } from './secret-keys.ts';

export interface Server {
  /** Where it listens, for example http://127.0.0.1:8000 */
  url: string;
  /** For people: where the data is. */
  database: string;
  /** The operator token that was made at this start, to be shown once; null when there was one already. */
  firstToken: string | null;
  /** For programs in the same process, such as tests. */
  fleet: Fleet;
  /** Ends subscriptions, lets what is under way finish for up to 10 s, and closes everything. */
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** A prepared embedded database to start from, in memory; for tests. */
  snapshot?: Blob;
}

const STOP_TIMEOUT_MS = 10_000;
const READINESS_TIMEOUT_MS = 2_000;

/** Builds the parts, joins them and starts them. When it has resolved, the server is ready. */
export async function startServer(config: Config, log: Log, options: ServerOptions = {}): Promise<Server> {
  const templates = await usingSetting('TEMPLATES_DIR', () => readTemplates(config.templatesDir));
  await using opened = new AsyncDisposableStack();

  const http = new HttpServer(log);
  const port = await listen(http, config);
  opened.defer(() => http.close(0));
  const database = await usingSetting(config.databaseUrl === null ? 'DATA_DIR' : 'DATABASE_URL', () =>
    openDatabase({ ...config, ...options }),
  );
  opened.defer(() => database.close());
  const secrets = createSecretBox(secretKeysOf(config));
  const firstToken = await ensureFirstOrganization(database, config.adminToken);

  const links = new GatewayLinks(database, secrets, log);
  opened.defer(() => links.close());
  const baseUrl = config.baseUrl ?? `http://localhost:${port}`;
  const workspaces = new Workspaces(database, links, templates, baseUrl);
  const queue = new ReconcileQueue(database, log);
  await queue.open();
  opened.defer(() => queue.stop());
  const fleet: Fleet = { database, secrets, queue, links, workspaces, heartbeats: new Heartbeats(database) };

  const signs = new SignsOfLife(database, log);
  links.listen({
    onUsable: (gatewayId) => void queue.retryNow(gatewayId),
    onFacts: (gatewayId, facts) => signs.see(gatewayId, facts),
  });
  opened.defer(() => signs.stop());
  const reconciler = { database, links, workspaces, log, concurrency: config.provisionConcurrency };
  await queue.work((gatewayId, signal) => reconcileGateway(reconciler, gatewayId, signal));
  await links.openAll();
  const liveness = new LivenessSweep(database, log);
  liveness.start();
  opened.defer(() => liveness.stop());

  const feed = new EventFeed(database, log);
  await feed.start();
  const { corsOrigins } = config;
  const graphql = createGraphQL({ schema, fleet, feed, log, corsOrigins });
  const sockets = serveSockets(http.server, graphql, { fleet, log, corsOrigins });
  http.serve({ graphql, readiness: () => readinessOf(database) });

  const parts = opened.move();
  return {
    url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
    database: database.description,
    firstToken,
    fleet,
    async stop() {
      await sockets.close();
      await feed.stop();
      // Requests and steps that are under way finish side by side, within the same time.
      await Promise.all([http.close(STOP_TIMEOUT_MS), queue.stop()]);
      await parts.disposeAsync();
    },
  };
}

/** @returns the port @throws ConfigError */
async function listen(http: HttpServer, { host, port }: Config): Promise<number> {
  try {
    return await http.listen(host, port);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : error;
    if (code === 'EADDRINUSE') throw wrongSetting('PORT', `${port} is in use on ${host}`);
    if (code === 'EACCES') throw wrongSetting('PORT', `${port} may not be opened by this user`);
    throw wrongSetting('HOST', `${host} is no address of this machine (${code})`);
  }
}

/** Null when the database answers; its migrations were applied when it was opened. */
async function readinessOf(database: Database): Promise<string | null> {
  const answer = database.prisma.$queryRaw`SELECT 1`.then(() => null);
  const patience = sleep(READINESS_TIMEOUT_MS, 'The database does not answer.', { ref: false });
  return Promise.race([answer, patience]).catch(() => 'The database does not answer.');
}
