import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { Client } from '../support/client.ts';
import { AgentEvents, DeleteAgent, ReadAgent, ReadFleet } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { ADMIN_TOKEN } from '../support/mission-control.ts';
import { preparedFolder, startProcess } from '../support/server-process.ts';
import { workspaceToken } from '../support/workspace.ts';

const GATEWAY_TOKEN = 'gateway-token-0123456789-that-nobody-may-see';
const WRONG_TOKEN = 'gateway-token-9876543210-that-is-the-wrong-one';

let gateway: Simulator;
let folder: string;
beforeAll(async () => {
  gateway = await startSimulator({ agents: 'live', token: GATEWAY_TOKEN });
  folder = await preparedFolder();
});
afterAll(async () => {
  await gateway.stop();
  await rm(folder, { recursive: true, force: true });
});

it('no secret is in what the server prints, nor readable in its data folder', { timeout: 60_000 }, async () => {
  const { server, url, owner } = await startProcess(folder, { LOG_LEVEL: 'trace' });
  const live = owner.subscribe(AgentEvents);
  await live.connected;
  const { id } = await addGateway(owner, gateway);
  await addGateway(owner, { ...gateway, token: WRONG_TOKEN }, 'Wrong');
  const board = await addBoard(owner, id, { lead: 'Lena' });
  const worker = await addAgent(owner, board.id);
  const lead = (await owner.run(ReadAgent, { id: board.lead?.id ?? '' })).agent;
  for (const agentId of [board.lead?.id, worker.id]) {
    await provisioned(owner, agentId ?? '');
    await live.first(({ agentEvents: event }) => event.agentId === agentId && event.type === 'HEARTBEAT');
  }
  const agentTokens = [await workspaceToken(worker.workspacePath), await workspaceToken(lead?.workspacePath ?? '')];
  // Somebody tries with a token that has lost its last character, a gateway goes, an agent goes.
  await new Client(url, agentTokens[0]?.slice(0, -1) ?? '').ask(ReadFleet);
  await gateway.restart();
  await owner.run(DeleteAgent, { id: worker.id });
  await eventually(
    () => owner.run(ReadAgent, { id: worker.id }),
    ({ agent }) => agent === null,
  );
  await live.stop();
  expect(await server.stop()).toEqual({ code: 0, signal: null });

  const secretKey = (await readFile(path.join(folder, 'secret.key'), 'utf8')).trim();
  const secrets = { GATEWAY_TOKEN, WRONG_TOKEN, ADMIN_TOKEN, lead: agentTokens[1], worker: agentTokens[0], secretKey };
  expect(server.stdout.split('\n').length).toBeGreaterThan(20);
  for (const [name, secret] of Object.entries(secrets)) {
    expect(secret?.length, name).toBeGreaterThan(20);
    expect(server.stdout.includes(secret ?? ''), `${name} in stdout`).toBe(false);
    expect(server.stderr.includes(secret ?? ''), `${name} in stderr`).toBe(false);
  }

  const { rows } = await dumpGateways(path.join(folder, 'pglite'));
  expect(rows).toHaveLength(2);
  for (const row of rows) expect(row.tokenSealed).toMatch(/^v1\.[\w-]{8}\.[\w-]{16}\.[\w-]+$/);
  expect(rows[0]?.tokenSealed).not.toBe(rows[1]?.tokenSealed);
  for (const file of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!file.isFile() || file.name === 'secret.key') continue;
    const bytes = await readFile(path.join(file.parentPath, file.name));
    for (const [name, secret] of Object.entries(secrets))
      expect(bytes.includes(secret ?? ''), `${name} in ${file.name}`).toBe(false);
  }
});

async function dumpGateways(dataDir: string) {
  const pglite = await PGlite.create({ dataDir });
  try {
    return await pglite.query<{ tokenSealed: string }>('SELECT * FROM "Gateway"');
  } finally {
    await pglite.close();
  }
}
