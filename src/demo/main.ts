import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig } from '../config.ts';
import { createLog } from '../log.ts';
import { startServer } from '../server.ts';
import { startSimulator } from '../simulator/simulator.ts';
import { Api } from './api.ts';
import { type Display, LiveTable, PlainLines } from './display.ts';
import { untilEnded } from './ending.ts';
import { FleetView } from './fleet-view.ts';
import { AGENT_EVENTS, OVERVIEW } from './live-documents.ts';
import { type DemoOptions, readOptions, USAGE, UsageError } from './options.ts';
import { removeGateway } from './removal.ts';
import { createFleet } from './story.ts';

// The main job from end to end, on a terminal. Leaves nothing behind.

/** Main agent, lead and two workers. */
const AGENTS = 4;
/** How much faster than the clock the simulated gateway's heartbeats come: every 5 s instead of every 5 min. */
const TIME_SCALE = 60;
/** Heartbeats of workers: 3 s on the simulated gateway; on a real one the usual 5 min, since each one calls its model. */
const SIMULATED_HEARTBEAT_SECONDS = 180;
const REAL_HEARTBEAT_SECONDS = 300;
/** In milliseconds, as measured on OpenClaw 2026.9.6. */
const REAL_DELAYS = { request: 3, applyConfig: 600, deleteAgent: 1500, model: 700 };
/** Not every change of a connection, or of a try that failed, is an event. */
const READ_EVERY_MS = 1_000;

const options = optionsOrExit();

try {
  await demo(options, untilEnded());
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

function optionsOrExit(): DemoOptions {
  try {
    const options = readOptions(process.argv.slice(2));
    if (!options.help) return options;
    process.stdout.write(USAGE);
    process.exit(0);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message} See npm run demo -- --help\n`);
    process.exit(2);
  }
}

async function demo(options: DemoOptions, signal: AbortSignal): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'mission-control-demo-'));
  // Also when it is broken off.
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  await using opened = new AsyncDisposableStack();

  const say = (text: string) => process.stdout.write(`${text}\n`);
  say(`Starting Mission Control${options.gateway ? '' : ' and a simulated gateway'} …`);
  const gateway = options.gateway ?? (await simulatedGateway(path.join(folder, 'gateway'), opened));
  const { HOST, PORT = '0', BASE_URL } = process.env;
  const DATA_DIR = path.join(folder, 'data');
  const config = readConfig({ HOST, PORT, BASE_URL, DATA_DIR, LOG_LEVEL: 'silent', SOULS_URL: '' });
  const log = createLog(config.logLevel);
  const server = await startServer(config, log);
  opened.defer(() => server.stop());
  const token = server.firstToken ?? '';
  const api = new Api(`${server.url}/graphql`, token);
  opened.defer(() => api.close());

  const view = new FleetView();
  const { stdout } = process;
  const display = stdout.isTTY && !options.plain ? new LiveTable(view, stdout) : new PlainLines(view, stdout);
  display.introduce(introduction(server.url, token, options));

  const failed = Promise.withResolvers<never>();
  const since = new Date().toISOString();
  follow(api, since, view, display).catch(failed.reject);
  const heartbeatSeconds = options.gateway ? REAL_HEARTBEAT_SECONDS : SIMULATED_HEARTBEAT_SECONDS;
  let gatewayId: string | null = null;
  const left: string[] = [];
  try {
    gatewayId = await createFleet(api, { gateway, heartbeatSeconds });
    const limit = options.seconds === null ? [] : [AbortSignal.timeout(options.seconds * 1000)];
    await Promise.race([watch(api, view, AbortSignal.any([signal, ...limit])), failed.promise]);
  } finally {
    display.finish();
    if (options.gateway && gatewayId) {
      say('Removing the agents from the gateway …');
      left.push(...(await removeGateway(api, gatewayId)));
      say(
        left.length > 0 ? left.join('\n') : 'They are gone; their workspaces are in the trash of the gateway’s user.',
      );
    }
  }
  await opened.disposeAsync();
  say(left.length > 0 ? 'Ended.' : 'Ended. Nothing is left.');
}

/** A gateway in `folder` whose agents read their documents and report in, as real ones do. */
async function simulatedGateway(folder: string, opened: AsyncDisposableStack) {
  const simulator = await startSimulator({
    stateDir: folder,
    agents: 'live',
    delays: REAL_DELAYS,
    timeScale: TIME_SCALE,
  });
  opened.defer(() => simulator.stop());
  return { url: simulator.url, token: simulator.token, workspaceRoot: folder };
}

function introduction(url: string, token: string, { gateway, seconds }: DemoOptions): string {
  return [
    '',
    gateway ? `Your gateway ${gateway.url}` : 'A simulated gateway, in which a minute passes in a second.',
    '',
    `Look around in GraphiQL: ${url}/graphql`,
    'Paste this into its Headers pane:',
    '',
    `  ${JSON.stringify({ Authorization: `Bearer ${token}` })}`,
    '',
    seconds ? `Ends after ${seconds} s, or with ctrl-C, and leaves nothing.` : 'Ctrl-C ends it and leaves nothing.',
    '',
  ].join('\n');
}

async function follow(api: Api, since: string, view: FleetView, display: Display): Promise<void> {
  let wasAlive = false;
  for await (const { agentEvents } of api.follow(AGENT_EVENTS, { since })) {
    view.happened(agentEvents);
    display.happened(agentEvents);
    const isAlive = view.isAlive(AGENTS);
    if (isAlive && !wasAlive) display.summarize();
    wasAlive = isAlive;
  }
}

/** Reads how the fleet stands, until it is told to end. */
async function watch(api: Api, view: FleetView, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    view.read(await api.ask(OVERVIEW, {}));
    await sleep(READ_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}
