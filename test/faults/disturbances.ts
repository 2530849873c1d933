import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../../src/simulator/faults.ts';
import type { PostgresServer } from '../support/postgres-server.ts';
import type { Direction } from './cutting-proxy.ts';
import type { Dice } from './dice.ts';
import type { GatewayUnderTest } from './gateway-under-test.ts';
import type { KeptServer } from './kept-server.ts';

/** What goes wrong: plain data, so that it can be shown, and made again from the seed. */
export type Disturbance =
  | { what: 'kill server'; server: number; downMs: number }
  | { what: 'restart gateway'; how: 'kill' | 'stop'; downMs: number }
  | { what: 'cut connections' }
  | { what: 'refuse connections'; forMs: number }
  | { what: 'stall connections'; direction: Direction; forMs: number; thenCut: boolean }
  | { what: 'delay connections'; byMs: number; forMs: number }
  | { what: 'fail requests'; how: RequestFailure; method: string; times: number }
  | { what: 'restart PostgreSQL'; how: 'fast' | 'immediate'; downMs: number };

/** What a disturbance strikes. In one round each is struck once at most. */
type Target = 'first server' | 'second server' | 'gateway' | 'network' | 'requests' | 'PostgreSQL';

const REQUEST_FAILURES = ['refuse', 'stall', 'drop', 'late', 'perform-then-drop', 'perform-then-refuse'] as const;
type RequestFailure = (typeof REQUEST_FAILURES)[number];

export interface PlannedDisturbance {
  atMs: number;
  disturbance: Disturbance;
}

/** The parts that can be struck. */
export interface Parts {
  servers: readonly KeptServer[];
  gateway: GatewayUnderTest;
  postgres: PostgresServer;
}

/** How long after an operation, at most: provisioning takes about this long. */
const AFTER_MS = 1_000;

const TARGETS: Record<GatewayUnderTest['kind'], Record<Target, number>> = {
  simulator: { 'first server': 2, 'second server': 2, gateway: 3, network: 5, requests: 4, PostgreSQL: 2 },
  // A start of the real one takes from 10 s to a minute.
  openclaw: { 'first server': 2, 'second server': 2, gateway: 0.5, network: 5, requests: 0, PostgreSQL: 2 },
};

const METHODS = [
  'connect',
  'config.get',
  'config.patch',
  'cron.list',
  'cron.scratch.set',
  'agents.list',
  'agents.delete',
  'agents.files.get',
  'agents.files.set',
  'agents.files.list',
  'sessions.list',
  'sessions.patch',
  'chat.send',
  '*',
];

/**
 * Chooses 1 to 3 disturbances of different parts, each to come soon after an operation.
 * @param moments when operations begin
 */
export function planDisturbances(
  dice: Dice,
  kind: GatewayUnderTest['kind'],
  moments: readonly number[],
): PlannedDisturbance[] {
  const weights = { ...TARGETS[kind] };
  return Array.from({ length: dice.integer(1, 3) }, () => {
    const target = dice.weighted(weights);
    weights[target] = 0;
    const atMs = dice.pick(moments) + dice.integer(0, AFTER_MS);
    return { atMs, disturbance: planDisturbance(dice, target) };
  });
}

function planDisturbance(dice: Dice, target: Target): Disturbance {
  switch (target) {
    case 'first server':
      return { what: 'kill server', server: 0, downMs: dice.integer(0, 2_000) };
    case 'second server':
      return { what: 'kill server', server: 1, downMs: dice.integer(0, 2_000) };
    case 'gateway':
      return { what: 'restart gateway', how: dice.pick(['kill', 'stop']), downMs: dice.integer(0, 2_000) };
    case 'PostgreSQL':
      return { what: 'restart PostgreSQL', how: dice.pick(['fast', 'immediate']), downMs: dice.integer(0, 2_000) };
    case 'network':
      return planNetworkFailure(dice);
    case 'requests': {
      const how = dice.pick(REQUEST_FAILURES);
      return { what: 'fail requests', how, method: dice.pick(METHODS), times: dice.integer(1, 4) };
    }
  }
}

function planNetworkFailure(dice: Dice): Disturbance {
  const forMs = dice.integer(200, 2_000);
  switch (dice.pick(['cut', 'refuse', 'stall', 'delay'])) {
    case 'cut':
      return { what: 'cut connections' };
    case 'refuse':
      return { what: 'refuse connections', forMs };
    case 'stall': {
      const direction = dice.pick(['both', 'to gateway', 'to client'] as const);
      return { what: 'stall connections', direction, forMs, thenCut: dice.chance(0.5) };
    }
    default:
      return { what: 'delay connections', byMs: dice.integer(50, 500), forMs };
  }
}

/** Does it when it is time. Resolves when it is over and what was struck works again. */
export async function disturb(parts: Parts, planned: PlannedDisturbance, startedAt: number): Promise<void> {
  await sleep(Math.max(0, startedAt + planned.atMs - performance.now()));
  await strike(parts, planned.disturbance);
}

async function strike({ servers, gateway, postgres }: Parts, disturbance: Disturbance): Promise<void> {
  const { network } = gateway;
  switch (disturbance.what) {
    case 'kill server': {
      const server = servers[disturbance.server];
      await server?.kill();
      await sleep(disturbance.downMs);
      await server?.start();
      return;
    }
    case 'restart gateway':
      return gateway.restart(disturbance.how, disturbance.downMs);
    case 'cut connections':
      return network.cut();
    case 'refuse connections':
      network.refuse();
      await sleep(disturbance.forMs);
      return network.heal();
    case 'stall connections':
      network.stall(disturbance.direction);
      await sleep(disturbance.forMs);
      if (disturbance.thenCut) network.cut();
      return network.heal();
    case 'delay connections':
      network.delay(disturbance.byMs);
      await sleep(disturbance.forMs);
      return network.heal();
    case 'fail requests':
      gateway.simulator?.faults.add(faultOf(disturbance));
      return;
    case 'restart PostgreSQL':
      await postgres.stop(disturbance.how);
      await sleep(disturbance.downMs);
      return postgres.start();
  }
}

const BUSY = {
  code: 'UNAVAILABLE',
  message: 'The server is busy. Please try again in a moment.',
  retryable: true,
} as const;
const LATE_MS = 1_500;

function faultOf({ how, method, times }: Disturbance & { what: 'fail requests' }): Fault {
  switch (how) {
    case 'late':
      return { kind: how, ms: LATE_MS, method, times };
    case 'refuse':
    case 'perform-then-refuse':
      return { kind: how, error: BUSY, method, times };
    default:
      return { kind: how, method, times };
  }
}

/** Takes all failures back. A request that was never answered would be waited for up to two minutes, so it is cut off. */
export async function heal({ gateway }: Parts, planned: PlannedDisturbance[]): Promise<void> {
  gateway.simulator?.faults.clear();
  await gateway.network.heal();
  if (planned.some(({ disturbance }) => disturbance.what === 'fail requests' && disturbance.how === 'stall'))
    gateway.network.cut();
}
