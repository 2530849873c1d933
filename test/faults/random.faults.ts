import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { Dice } from './dice.ts';
import { EventLog } from './event-log.ts';
import { Follower } from './follower.ts';
import { quiet } from './quiet.ts';
import { checkAll, details, planRound, play, type Round, type Story, summary } from './round.ts';
import { readSettings } from './settings.ts';
import { populate, startWorld, type World } from './world.ts';

// Rounds of random operations while everything fails. For an hour: FAULTS_SECONDS=3600. The choices of a run again, in the
// same order: its FAULTS_SEED. Against a real OpenClaw, where a round takes half a minute instead of 5 s: FAULTS_GATEWAY=openclaw.

const { seed, seconds, rounds, gateway: kind } = readSettings(process.env);
/** For the first agents on a gateway that was started just now. */
const FIRST_QUIET_MS = 300_000;
/** For the round that has begun when time is over, and the end. */
const END_MS = 600_000;

describe(`two servers on one PostgreSQL, with the ${kind} as gateway`, () => {
  const dice = new Dice(seed);
  let world: World | undefined;
  let follower: Follower | undefined;
  let story: Story;

  beforeAll(async () => {
    say(`FAULTS_SEED=${seed}`);
    world = await startWorld(kind, 2);
    const before = await world.gateway.entries();
    const model = await populate(world, dice);
    follower = new Follower(world.servers);
    story = { world, model, log: new EventLog(world.api), follower, before };
    await quiet(world.api, model, FIRST_QUIET_MS);
    await checkAll(story);
  }, FIRST_QUIET_MS + 300_000);

  afterAll(async () => {
    await follower?.stop();
    await world?.stop();
  });

  it(`come to rest after every failure, with nothing lost or doubled (FAULTS_SEED=${seed})`, {
    timeout: seconds * 1_000 + END_MS,
  }, async () => {
    const deadline = performance.now() + seconds * 1_000;
    for (let number = 1; number <= rounds && performance.now() < deadline; number++) {
      const round = planRound(dice, story.model, kind, number);
      await playAndTell(round);
    }
    await story.log.readAgain();
    say(`${story.log.events.length} events; the live subscriber went on ${story.follower.connections} times`);
  });

  async function playAndTell(round: Round): Promise<void> {
    const startedAt = performance.now();
    try {
      const quietMs = await play(story, round);
      say(`${summary(round)} → quiet after ${inSeconds(quietMs)}, ${inSeconds(performance.now() - startedAt)} in all`);
    } catch (error) {
      say(`${summary(round)} → FAILED`);
      const folder = keepLogs();
      const message = `FAULTS_SEED=${seed}, round ${round.number}; the logs are in ${folder}\n${details(round)}\n`;
      throw new Error(`${message}${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }

  function keepLogs(): string {
    const folder = mkdtempSync(path.join(tmpdir(), 'mission-control-faults-'));
    const { servers, gateway } = story.world;
    for (const { name, log } of servers) writeFileSync(path.join(folder, `server-${name}.log`), log);
    writeFileSync(path.join(folder, 'gateway.log'), gateway.log());
    return folder;
  }
});

function inSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
