import { setTimeout as sleep } from 'node:timers/promises';
import { type Api, made } from '../src/demo/api.ts';
import { CREATE_AGENT, CREATE_BOARD, CREATE_GATEWAY, FLEET } from '../src/demo/documents.ts';
import type { DemoFleetQuery } from '../src/generated/client/graphql.ts';
import type { Measurement, RunOptions, Target } from './bench.ts';
import { onEmbeddedServer } from './embedded-server.ts';
import { load, MUTATIONS, type Sample, Team } from './mutation-load.ts';
import { measurementsOf, OTHER_STATES, ratioName } from './mutation-times.ts';
import { type GatewayAddress, STATES, type State, startTroubledGateways } from './troubled-gateways.ts';

const PER_SECOND = 60;
/** On each gateway, at the beginning. */
const AGENTS = 12;
const FULL = { rounds: 5, cycles: 120 };
const SHORT = { rounds: 1, cycles: 15 };

export const name = 'mutations';
export const about =
  `How long ${MUTATIONS.join(', ')} take for agents of a gateway that is up, of one that is down (nothing listens), of one ` +
  'that is silent (it takes connections and says nothing) and of one that is stalled (it is connected and answers ' +
  'nothing). The control is another one that is up: so much is chance. All were up until their agents were provisioned. ' +
  'Then one server on its embedded database gets each mutation for all gateways at the same moment, in an order by ' +
  `chance, and the next one when all are answered: at most ${PER_SECOND} in a second, from another process, with the ` +
  'gateways as simulators in a third one. What is asked for is meanwhile brought to the gateways. As that takes time of ' +
  'the same server it makes all of these mutations slower; what is compared is whether those for one gateway take longer ' +
  'than those for another. The ratios of all mutations together come first.';

export const targets: Target[] = OTHER_STATES.filter((state) => state !== 'control').flatMap((state) =>
  [
    ratioName(99, state),
    ...MUTATIONS.flatMap((mutation) => [
      `${mutation}, ${ratioName(50, state)}`,
      `${mutation}, ${ratioName(99, state)}`,
    ]),
  ].map((measurement) => ({ measurement, atMost: 1.2 })),
);

export async function run({ short, progress }: RunOptions): Promise<Measurement[]> {
  const { rounds, cycles } = short ? SHORT : FULL;
  const samples: Sample<State>[][] = [];
  await onEmbeddedServer(async (api) => {
    const gateways = await startTroubledGateways();
    try {
      const teams = await Promise.all(STATES.map((state) => teamOn(api, state, gateways.addresses[state])));
      progress('all agents are provisioned');
      await gateways.makeTrouble();
      await Promise.all(teams.map(({ gatewayId, state }) => troubleIsSeen(api, gatewayId, state)));
      progress(`the gateways are now: ${STATES.join(', ')}`);
      const byState = new Map(teams.map(({ state, team }) => [state, team]));
      await load(byState, { cycles: 2, perSecond: PER_SECOND });
      for (let round = 1; round <= rounds; round++) {
        const latest = await load(byState, { cycles, perSecond: PER_SECOND });
        samples.push(latest);
        progress(`round ${round}: ${latest.length} mutations`);
      }
    } finally {
      await gateways.stop();
    }
  });
  return measurementsOf(samples, short);
}

/** A gateway with a board, and agents that are provisioned. */
async function teamOn(api: Api, state: State, { url, token, stateDir: workspaceRoot }: GatewayAddress) {
  const gateway = made(
    (await api.ask(CREATE_GATEWAY, { input: { name: state, url, token, workspaceRoot } })).createGateway,
  );
  const board = made((await api.ask(CREATE_BOARD, { input: { name: state, gatewayId: gateway.id } })).createBoard);
  const names = Array.from({ length: AGENTS }, (_, index) => `First ${index + 1}`);
  const create = async (name: string) => {
    const input = { name, boardId: board.id };
    return made((await api.ask(CREATE_AGENT, { input })).createAgent).id;
  };
  const agents = await Promise.all(names.map(create));
  await when(api, gateway.id, ({ agents: { nodes } }) =>
    nodes.every(({ provisioning }) => provisioning.phase === 'SUCCEEDED'),
  );
  return { state, gatewayId: gateway.id, team: await Team.of(api, board.id, agents) };
}

function troubleIsSeen(api: Api, gatewayId: string, state: State): Promise<void> {
  return when(api, gatewayId, ({ connection }) => {
    if (state === 'down') return connection.state === 'UNREACHABLE';
    if (state === 'silent') return /does not answer/.test(connection.lastError ?? '');
    return connection.state === 'CONNECTED';
  });
}

type Gateway = NonNullable<DemoFleetQuery['gateway']>;

/** Waits until a gateway is so. It asks seldom: answering costs the server time as well. */
async function when(api: Api, gatewayId: string, isSo: (gateway: Gateway) => boolean): Promise<void> {
  for (;;) {
    const { gateway } = await api.ask(FLEET, { gatewayId });
    if (gateway && isSo(gateway)) return;
    await sleep(500);
  }
}
