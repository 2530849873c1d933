// Prints every change of the agents as it happens, one line each, beginning with its cursor. Comes again by itself when the
// connection breaks, and misses nothing.
import { parseArgs } from 'node:util';
import { connect, reasonOf } from '../live.ts';
import { type Change, followChanges, readFleet } from './follow.ts';

const USAGE = `Usage: MISSION_CONTROL_TOKEN=mco_… node examples/watch/main.ts [FLAGS]

Prints what happens to the agents, live.

  --url URL       the server's GraphQL (default http://127.0.0.1:8000/graphql)
  --board ID      only the agents of this board
  --after CURSOR  begin after this event, as an earlier run has printed it, and not with now
`;

function readOptions() {
  const token = process.env.MISSION_CONTROL_TOKEN;
  const { values } = parseArgs({
    options: {
      url: { type: 'string', default: 'http://127.0.0.1:8000/graphql' },
      board: { type: 'string' },
      after: { type: 'string' },
    },
  });
  if (!token) throw new Error('Set MISSION_CONTROL_TOKEN to the token of an operator.');
  if (!/^(http|ws)s?:/.test(values.url) || !URL.canParse(values.url))
    throw new Error('--url must be an http(s):// URL.');
  return { ...values, token };
}

/** @returns the exit code */
async function watch(): Promise<number> {
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions();
  } catch (error) {
    process.stderr.write(`${reasonOf(error)}\n\n${USAGE}`);
    return 2;
  }
  const { url, token, board = null, after } = options;
  let cursor = after;
  let isStopping = false;
  const client = connect(url, token, (state) => {
    if (state === 'live') process.stderr.write('Connected.\n');
    if (state === 'broken' && !isStopping) process.stderr.write('The connection broke. Trying again…\n');
  });
  const stop = () => {
    isStopping = true;
    if (cursor !== undefined) process.stderr.write(`\nGo on from here with --after ${cursor}\n`);
    void client.dispose();
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    if (cursor === undefined) {
      const { agents, eventCursor } = await readFleet(client, board);
      for (const { name, status, liveness } of agents)
        process.stdout.write(`${eventCursor}  ${name} is ${status}, ${liveness}\n`);
      cursor = eventCursor;
    }
    for await (const change of followChanges(client, board, cursor)) {
      process.stdout.write(`${lineOf(change)}\n`);
      cursor = change.cursor;
    }
    return 0;
  } catch (error) {
    if (isStopping) return 0;
    process.stderr.write(`${reasonOf(error)}\n`);
    return 1;
  } finally {
    isStopping = true;
    await client.dispose();
  }
}

function lineOf({ cursor, at, agent, agentId, type, ...change }: Change): string {
  const { status, previousStatus, liveness, step, message } = change;
  const what = {
    STATUS_CHANGED: `${previousStatus ?? ''} → ${status}`,
    LIVENESS_CHANGED: liveness,
    HEARTBEAT: `${status}, ${liveness}`,
    PROVISIONING: step ? [step.name, step.outcome, step.detail].filter(Boolean).join(' ') : message,
  }[type as string];
  return [cursor, at.slice(11, 19), agent?.name ?? agentId, type, what ?? message].filter(Boolean).join('  ');
}

process.exitCode = await watch();
