import { ADMIN_TOKEN } from '../support/mission-control.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { Api } from './api.ts';
import type { Dice } from './dice.ts';
import type { Parts } from './disturbances.ts';
import { CREATE_AGENT, CREATE_BOARD, CREATE_GATEWAY, type Outcome } from './documents.ts';
import { fixedPort } from './fixed-port.ts';
import { FleetModel, modelOf } from './fleet-model.ts';
import { type GatewayUnderTest, startGateway } from './gateway-under-test.ts';
import { KeptServer } from './kept-server.ts';
import { LARGEST_FLEET } from './operations.ts';
import { readFleet } from './quiet.ts';

/** Servers on one PostgreSQL and a gateway behind a network that can fail: all that a test can strike. */
export interface World extends Parts {
  api: Api;
  stop(): Promise<void>;
}

const SECRET_KEY = Buffer.alloc(32, 7).toString('base64');
const NAMES = ['A', 'B'];

/** @param servers how many processes */
export async function startWorld(
  kind: GatewayUnderTest['kind'],
  servers: number,
  gatewayOptions: Parameters<typeof startGateway>[1] = {},
): Promise<World> {
  await using opened = new AsyncDisposableStack();
  const postgres = await PostgresServer.create({ port: await fixedPort() });
  opened.defer(() => postgres.dispose());
  const databaseUrl = await postgres.createDatabase('faults');
  const gateway = await startGateway(kind, gatewayOptions);
  opened.defer(() => gateway.dispose());
  const kept: KeptServer[] = [];
  opened.defer(async () => {
    for (const server of kept) await server.stop();
  });
  for (const name of NAMES.slice(0, servers)) {
    const server = new KeptServer(name, await settingsFor(databaseUrl, kept[0]));
    kept.push(server);
    // One after the other: the first one migrates.
    await server.start();
  }
  const parts = opened.move();
  return { servers: kept, gateway, postgres, api: new Api(kept), stop: () => parts.disposeAsync() };
}

/** @param first the server that agents are told of, if it is not this one: two would write different documents */
async function settingsFor(databaseUrl: string, first: KeptServer | undefined): Promise<Record<string, string>> {
  const port = String(await fixedPort());
  return {
    PORT: port,
    BASE_URL: first?.url ?? `http://127.0.0.1:${port}`,
    DATABASE_URL: databaseUrl,
    SECRET_KEY,
    ADMIN_TOKEN,
    LOG_LEVEL: 'info',
  };
}

/** Asks for the gateway. @returns its id */
export async function addGateway(api: Api, gateway: GatewayUnderTest): Promise<string> {
  const { url, token, stateDir: workspaceRoot } = gateway;
  const input = { name: 'Gateway', url, token, workspaceRoot };
  const { outcome } = await api.ask<{ outcome: { id: string } }>(CREATE_GATEWAY, { input });
  return outcome.id;
}

/** Asks for a board. @param lead the name of its lead, if it is to have one @returns its id */
export async function addBoard(api: Api, gatewayId: string, name: string, lead?: string): Promise<string> {
  const input = { gatewayId, name, maxAgents: 1_000, ...(lead !== undefined && { lead: { name: lead } }) };
  const { outcome } = await api.ask<{ outcome: { id: string } }>(CREATE_BOARD, { input });
  return outcome.id;
}

/** Asks for these agents, all at once. */
export async function addAgents(
  api: Api,
  agents: readonly { id?: string; name: string; boardId: string }[],
): Promise<Outcome[]> {
  return Promise.all(
    agents.map(async (input, first) => {
      const { outcome } = await api.ask<{ outcome: Outcome }>(CREATE_AGENT, { input }, { first });
      if (outcome.__typename !== 'Agent') throw new Error(JSON.stringify(outcome));
      return outcome;
    }),
  );
}

/** Asks for a gateway with two boards, their leads and as many workers as a fleet has. */
export async function populate({ api, gateway }: World, dice: Dice): Promise<FleetModel> {
  const id = await addGateway(api, gateway);
  const boardIds = [await addBoard(api, id, 'First', 'Lead One'), await addBoard(api, id, 'Second', 'Lead Two')];
  const model = new FleetModel(id, boardIds);
  const workers = Array.from({ length: LARGEST_FLEET - 3 }, () => ({
    id: dice.uuid(),
    name: model.newName(),
    boardId: dice.pick(boardIds),
  }));
  await addAgents(api, workers);
  for (const agent of await readFleet(api)) model.add(modelOf(agent));
  return model;
}
