import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { Api, ApiError } from '../demo/api.ts';
import { type Display, LiveTable, PlainLines } from '../demo/display.ts';
import { untilEnded } from '../demo/ending.ts';
import { type AgentEvent, FleetView } from '../demo/fleet-view.ts';
import { AGENT_EVENTS, OVERVIEW } from '../demo/live-documents.ts';
import { overview } from '../demo/table.ts';
import { JSON_FLAG, type OutputOptions, print, WRONG_USAGE } from './output.ts';

/** The environment variable that has the operator's token. */
export const OPERATOR_TOKEN = 'MISSION_CONTROL_TOKEN';

interface WatchOptions extends OutputOptions {
  token?: string;
  once?: boolean;
  plain?: boolean;
}

export function addWatch(program: Command): void {
  program
    .command('watch')
    .summary('show gateways and agents, live')
    .description(
      'Shows how the gateways and the first 100 agents stand, live, until ctrl-C: a table on a terminal, else one line per event. ' +
        'It goes on by itself when the server has been away.',
    )
    .argument('[url]', 'the server', 'http://127.0.0.1:8000')
    .option('--token <token>', `an operator token (default: the environment variable ${OPERATOR_TOKEN})`)
    .option('--once', 'show how everything stands now, and end')
    .option('--plain', 'lines instead of a table')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      `\nExamples:\n  ${OPERATOR_TOKEN}=mco_… mission-control watch\n  mission-control watch https://mission-control.example.com --once --json`,
    )
    .action((url: string, options: WatchOptions, command: Command) => {
      const token = options.token ?? process.env[OPERATOR_TOKEN];
      if (!token)
        command.error(`error: set ${OPERATOR_TOKEN} or --token to an operator token`, { exitCode: WRONG_USAGE });
      if (!/^https?:\/\//.test(url) || !URL.canParse(url))
        command.error('error: the server is an http or https URL', { exitCode: WRONG_USAGE });
      return watch(url, token ?? '', options);
    });
}

const READ_EVERY_MS = 1_000;

async function watch(url: string, token: string, options: WatchOptions): Promise<void> {
  const graphqlUrl = `${url.replace(/\/+$/, '').replace(/\/graphql$/, '')}/graphql`;
  const view = new FleetView();
  const api = new Api(graphqlUrl, token);
  const signal = untilEnded();
  try {
    const first = await reached(api.ask(OVERVIEW, {}), graphqlUrl);
    view.read(first);
    if (options.once) {
      const { gateways, agents } = first;
      const lines = overview(view, { now: new Date(), columns: process.stdout.columns ?? 120, colours: false });
      return print(options, { gateways: gateways.nodes, agents: agents.nodes }, lines.join('\n'));
    }
    const display = displayFor(view, options);
    display.introduce(`${graphqlUrl}, until ctrl-C\n`);
    try {
      await Promise.race([follow(api, view, display, signal), readOn(api, view, signal)]);
    } finally {
      display.finish();
    }
  } finally {
    await api.close();
  }
}

function displayFor(view: FleetView, { json, plain }: WatchOptions): Display {
  const { stdout } = process;
  if (json) return new JsonLines();
  return stdout.isTTY && !plain ? new LiveTable(view, stdout) : new PlainLines(view, stdout);
}

/** One JSON line per event, for programs. */
class JsonLines implements Display {
  introduce(): void {}

  happened(event: AgentEvent): void {
    process.stdout.write(`${JSON.stringify(event)}\n`);
  }

  summarize(): void {}

  finish(): void {}
}

/** The events, from now on. When the connection breaks it is made again, and what happened meanwhile comes then. */
async function follow(api: Api, view: FleetView, display: Display, signal: AbortSignal): Promise<void> {
  let since = new Date().toISOString();
  while (!signal.aborted) {
    await untilRefused(async () => {
      for await (const { agentEvents } of api.follow(AGENT_EVENTS, { since })) {
        since = agentEvents.at;
        view.happened(agentEvents);
        display.happened(agentEvents);
      }
    });
    await pause(signal);
  }
}

/** How everything stands, again and again: not every change of a connection is an event. */
async function readOn(api: Api, view: FleetView, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const trouble = await untilRefused(async () => view.read(await api.ask(OVERVIEW, {})));
    view.trouble = trouble && `The server does not answer (${trouble}). It is tried again.`;
    await pause(signal);
  }
}

/** @returns what went wrong, when it may pass; null when nothing did @throws Error when the token is not taken any more */
async function untilRefused(work: () => Promise<void>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (isRefusal(error)) throw refusal(error);
    return error instanceof Error ? error.message : 'the connection was closed';
  }
}

async function reached<T>(asking: Promise<T>, url: string): Promise<T> {
  try {
    return await asking;
  } catch (error) {
    if (isRefusal(error)) throw refusal(error);
    if (error instanceof ApiError) throw error;
    throw new Error(`No Mission Control answers at ${url}: start it, or give its URL.`, { cause: error });
  }
}

const isRefusal = (error: unknown) => error instanceof ApiError && error.code === 'UNAUTHENTICATED';

function refusal(cause: unknown): Error {
  return new Error(`The server does not take this token. Set ${OPERATOR_TOKEN} to a valid one.`, { cause });
}

async function pause(signal: AbortSignal): Promise<void> {
  await sleep(READ_EVERY_MS, undefined, { signal }).catch(() => undefined);
}
