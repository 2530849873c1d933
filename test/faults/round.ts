import type { Dice } from './dice.ts';
import { type Disturbance, disturb, heal, type PlannedDisturbance, planDisturbances } from './disturbances.ts';
import { type EventLog, expectOrder, expectSame, fence, latestCursor } from './event-log.ts';
import type { FleetModel, ModelAgent } from './fleet-model.ts';
import type { Follower } from './follower.ts';
import type { Entry, GatewayUnderTest } from './gateway-under-test.ts';
import { checkDocuments, checkEntries, checkFleet, checkTokens } from './invariants.ts';
import { type Lane, type Operation, planOperations } from './operations.ts';
import { performLane } from './perform.ts';
import { quiet } from './quiet.ts';
import { together } from './together.ts';
import { keepUsingTokens } from './workspace-tokens.ts';
import type { World } from './world.ts';

/** What one round does, chosen before it begins. */
export interface Round {
  number: number;
  lanes: Lane[];
  disturbances: PlannedDisturbance[];
}

/** What is known of the world while it goes on. */
export interface Story {
  world: World;
  model: FleetModel;
  log: EventLog;
  follower: Follower;
  /** The gateway's entries from before there was any agent. */
  before: Record<string, Entry>;
}

/** From the end of all failures until everything is as asked for. */
const QUIET_TIMEOUT_MS: Record<GatewayUnderTest['kind'], number> = { simulator: 60_000, openclaw: 300_000 };

export function planRound(dice: Dice, model: FleetModel, kind: GatewayUnderTest['kind'], number: number): Round {
  const lanes = planOperations(dice, model);
  const moments = lanes.flat().map(({ atMs }) => atMs);
  return { number, lanes, disturbances: planDisturbances(dice, kind, moments) };
}

/** @returns how long it took until everything was quiet after all was well again, in milliseconds */
export async function play(story: Story, round: Round): Promise<number> {
  const { world, model } = story;
  const over = new AbortController();
  const using = keepUsingTokens(world.api, staying(model, round.lanes), over.signal);
  let quietMs = 0;
  const disturbed = async () => {
    await askAndDisturb(story, round);
    const healedAt = performance.now();
    await quiet(world.api, model, QUIET_TIMEOUT_MS[world.gateway.kind]);
    quietMs = performance.now() - healedAt;
  };
  await together([using, disturbed().finally(() => over.abort())]);
  await checkAll(story);
  // An hour of requests with their documents would fill the memory.
  world.gateway.simulator?.requests.splice(0);
  return quietMs;
}

/** Resolves when everything was answered and nothing fails any more. */
async function askAndDisturb({ world, model }: Story, { lanes, disturbances }: Round): Promise<void> {
  const startedAt = performance.now();
  const asking = lanes.map((lane) => performLane(world.api, model, lane, startedAt));
  const disturbing = together(disturbances.map((each) => disturb(world, each, startedAt)));
  await together([...asking, disturbing.finally(() => heal(world, disturbances))]);
}

/** The agents that nobody is about to delete. */
function staying(model: FleetModel, lanes: Lane[]): ModelAgent[] {
  const deleted = lanes.flat().flatMap(({ operation }) => (operation.kind === 'delete' ? operation.id : []));
  return [...model.agents.values()].filter(({ id }) => !deleted.includes(id));
}

/** Everything that has to be so when all is quiet. */
export async function checkAll({ world, model, log, follower, before }: Story): Promise<void> {
  const { api, gateway, servers } = world;
  for (const { crashes } of servers) if (crashes.length > 0) throw new Error(crashes.join('\n'));
  await checkFleet(api, model);
  await checkEntries(gateway, model, before);
  await checkTokens(api, model);
  await checkDocuments(api, model);
  // Before anything new happens: what comes later would tell a subscriber that it has missed something.
  await follower.reached(await latestCursor(api));
  const until = await fence(api, model.main.id);
  await log.read(until);
  for (const id of model.agents.keys()) await log.checkAgent(id);
  await follower.reached(until);
  expectOrder(follower.events, 'what the live subscriber got');
  const followed = follower.events.filter((event) => event.cursor <= until);
  expectSame(log.events, followed, 'what the live subscriber got');
}

/** The round in one line. */
export function summary({ number, lanes, disturbances }: Round): string {
  const operations = lanes.map((lane) => lane.map(({ operation }) => operation.kind).join('+'));
  const failures = disturbances.map(({ disturbance }) => brief(disturbance));
  return `round ${number}: ${operations.join(' ')} | ${failures.join(', ')}`;
}

function brief(disturbance: Disturbance): string {
  switch (disturbance.what) {
    case 'kill server':
      return `${disturbance.what} ${'AB'[disturbance.server]}`;
    case 'restart gateway':
    case 'restart PostgreSQL':
      return `${disturbance.what} (${disturbance.how})`;
    case 'fail requests':
      return `${disturbance.what} (${disturbance.how} ${disturbance.method} ×${disturbance.times})`;
    default:
      return disturbance.what;
  }
}

/** All of the round, each operation and failure with its moment. */
export function details({ lanes, disturbances }: Round): string {
  const line = (atMs: number, what: Operation | Disturbance) => ({ atMs, text: JSON.stringify(what) });
  return [
    ...lanes.flat().map(({ atMs, operation }) => line(atMs, operation)),
    ...disturbances.map(({ atMs, disturbance }) => line(atMs, disturbance)),
  ]
    .sort((one, other) => one.atMs - other.atMs)
    .map(({ atMs, text }) => `  ${String(atMs).padStart(5)} ms  ${text}`)
    .join('\n');
}
