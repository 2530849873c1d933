import { setTimeout as sleep } from 'node:timers/promises';
import { Authenticator } from './access/authenticate.ts';
import { IdentityProvider } from './access/identity-provider.ts';
import { LiveCredentials } from './access/live-credentials.ts';
import { TokenUses } from './access/token-uses.ts';
import { type Config, usingSetting, wrongSetting } from './config.ts';
import { type Database, type DatabaseOptions, openDatabase } from './db/database.ts';
import { createSecretBox } from './db/secrets.ts';
import { Announcements } from './events/announcements.ts';
import { EventFeed } from './events/feed.ts';
import { Retention } from './events/retention.ts';
import type { Fleet } from './fleet/fleet.ts';
import { Heartbeats } from './fleet/heartbeats.ts';
import { LivenessSweep } from './fleet/liveness.ts';
import { ensureFirstOrganization } from './fleet/organizations.ts';
import { SignsOfLife } from './fleet/signs-of-life.ts';
import { ConnectionSlots } from './http/connection-slots.ts';
import { createGraphQL } from './http/graphql.ts';
import { HttpServer } from './http/http-server.ts';
import { LiveResults } from './http/live-results.ts';
import { SignIn } from './http/sign-in.ts';
import { serveSockets } from './http/websocket.ts';
import type { Log } from './log.ts';
import { FleetCounter } from './observability/fleet-counts.ts';
import { Metrics } from './observability/metrics.ts';
import { RunCauses } from './provisioning/causes.ts';
import { GatewayController } from './provisioning/controller.ts';
import { deviceOfInstallation } from './provisioning/installation.ts';
import { GatewayLinks } from './provisioning/links.ts';
import { reconcileGateway } from './provisioning/reconcile.ts';
import { SoulDirectory, type SoulTimes } from './provisioning/souls/directory.ts';
import { RoleSouls } from './provisioning/souls/role-souls.ts';
import { fetchFromWeb } from './provisioning/souls/web.ts';
import { readTemplates } from './provisioning/template-folder.ts';
import { Workspaces } from './provisioning/workspaces.ts';
import { schema } from './schema/index.ts';
import { requireKeys, secretKeysOf } from './secret-keys.ts';

export interface Server {
  /** Where it listens, for example http://127.0.0.1:8000 */
  url: string;
  /** For people: where the data is. */
  database: string;
  /** The operator token that was made at this start, to be shown once; null when there was one already. */
  firstToken: string | null;
  /** For programs in the same process, such as tests. */
  fleet: Fleet;
  /** Says that it stops, after DRAIN_SECONDS ends subscriptions, lets what is under way finish for up to 10 s, and closes everything. */
  stop(): Promise<void>;
}

/** For tests. */
export interface ServerOptions extends Pick<DatabaseOptions, 'snapshot' | 'watch'> {
  /** In place of hours, which no test waits for. */
  soulTimes?: Partial<SoulTimes>;
}

const STOP_TIMEOUT_MS = 10_000;
const READINESS_TIMEOUT_MS = 2_000;

/** Builds the parts, joins them and starts them. When it has resolved, the server is ready. */
export async function startServer(config: Config, log: Log, options: ServerOptions = {}): Promise<Server> {
  await usingSetting('TEMPLATES_DIR', () => readTemplates(config.templatesDir));
  await using opened = new AsyncDisposableStack();

  const { limits } = config;
  const metrics = new Metrics(log);
  const overHttps = config.baseUrl?.startsWith('https:') ?? false;
  const http = new HttpServer(log, { ...limits, overHttps });
  const port = await listen(http, config);
  opened.defer(() => http.close(0));
  const database = await usingSetting(config.databaseUrl === null ? 'DATA_DIR' : 'DATABASE_URL', () =>
    openDatabase({
      ...config,
      ...options,
      traced: config.tracing !== null,
      inspect: (session) => requireKeys(session, config),
    }),
  );
  opened.defer(() => database.close());
  const secrets = createSecretBox(secretKeysOf(config));
  const firstToken = await ensureFirstOrganization(database, config.adminToken);

  const uses = new TokenUses(database.prisma, log);
  opened.defer(() => uses.stop());
  const provider = config.oidc && new IdentityProvider(config.oidc, log);
  const authenticator = new Authenticator(database, provider, uses);
  const live = new LiveCredentials(authenticator, log);
  live.start();
  opened.defer(() => live.stop());

  const device = await deviceOfInstallation(database, secrets);
  const links = new GatewayLinks(database, secrets, device, log, (method, outcome, seconds) =>
    metrics.gatewayRequestEnded(method, outcome, seconds),
  );
  opened.defer(() => links.close());
  const baseUrl = config.baseUrl ?? `http://localhost:${port}`;
  const soulDirectory = config.soulsUrl === null ? null : openSouls(config.soulsUrl, log, options);
  opened.defer(() => soulDirectory?.stop());
  const souls = new RoleSouls(database, soulDirectory);
  const workspaces = new Workspaces(database, links, () => readTemplates(config.templatesDir), baseUrl, souls);
  const heartbeats = new Heartbeats(database);
  const fleet: Fleet = { database, secrets, links, workspaces, soulDirectory, heartbeats };

  const signs = new SignsOfLife(database, log);
  opened.defer(() => signs.stop());
  const causes = new RunCauses();
  const concurrency = config.provisionConcurrency;
  const reconciler = { database, links, workspaces, log, metrics, causes, concurrency };
  const controller = new GatewayController({
    database,
    links,
    log,
    causes,
    reconcile: (gatewayId, checks, signal) => reconcileGateway(reconciler, gatewayId, checks, signal),
    onFacts: (gatewayId, facts) => signs.see(gatewayId, facts),
    checkInTimeoutMs: config.checkInTimeoutSeconds * 1_000,
  });
  opened.defer(() => controller.stop());
  await controller.start();
  const retention = new Retention(database, log, config.eventRetentionDays);
  retention.start();
  opened.defer(() => retention.stop());
  const liveness = new LivenessSweep(database, log);
  liveness.start();
  opened.defer(() => liveness.stop());

  const feed = new EventFeed(database, log);
  await feed.start();
  const announcements = new Announcements(database);
  await announcements.start();
  const { corsOrigins, introspection, suggestions } = config;
  const liveResults = new LiveResults();
  const entry = {
    signIn: new SignIn(authenticator, limits),
    live,
    slots: new ConnectionSlots(limits.connectionsPerCredential),
    presentation: { log, metrics, suggestions },
    corsOrigins,
  };
  const graphql = createGraphQL({
    ...entry,
    schema,
    fleet,
    feed,
    announcements,
    liveResults,
    introspection,
    limits: limits.operation,
  });
  const sockets = serveSockets(http.server, graphql, { ...entry, ...limits });
  metrics.watch({ fleet: new FleetCounter(database), links, database, feed, liveResults, sockets });
  http.serve({ graphql, readiness: () => readinessOf(database), metrics });

  const parts = opened.move();
  return {
    url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
    database: database.description,
    firstToken,
    fleet,
    async stop() {
      http.announceStop();
      await sleep(config.drainSeconds * 1_000);
      // No new connections from here on, so that who is told to connect again does so elsewhere. Requests and steps that are
      // under way finish side by side, within the same time.
      const closed = http.close(STOP_TIMEOUT_MS);
      await sockets.close();
      await feed.stop();
      await announcements.stop();
      await Promise.all([closed, controller.stop()]);
      await parts.disposeAsync();
    },
  };
}

function openSouls(url: string, log: Log, { soulTimes = {} }: ServerOptions): SoulDirectory {
  return new SoulDirectory({ url, fetch: fetchFromWeb(), now: () => performance.now(), log, times: soulTimes });
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
