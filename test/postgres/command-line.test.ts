import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { Client } from '../support/client.ts';
import { runCommand } from '../support/command.ts';
import { eventually } from '../support/eventually.ts';
import { addGateway } from '../support/fleet.ts';
import { ADMIN_TOKEN } from '../support/mission-control.ts';
import { type OwnDatabase, ownDatabase } from '../support/own-database.ts';
import { ServerProcess } from '../support/server-process.ts';

const Connections = graphql(`
  query Connections { viewer { role } gateways { nodes { id connection { state } } } }
`);
const Recheck = graphql(`
  mutation Recheck($id: ID!) { checkGateway(id: $id) { __typename ... on Gateway { connection { state } } ... on Error { message } } }
`);

const postgres = inject('postgres');

describe.skipIf(postgres === null)('beside running servers', () => {
  let gateway: Simulator;
  let database: OwnDatabase;
  beforeAll(async () => {
    gateway = await startSimulator();
    database = await ownDatabase(postgres ?? '');
  });
  afterAll(async () => {
    await gateway.stop();
    await database.client.end();
  });

  async function start(SECRET_KEY: string): Promise<{ server: ServerProcess; url: string; owner: Client }> {
    const server = new ServerProcess({ ...database.settings, SECRET_KEY });
    const { url } = await server.listening();
    return { server, url, owner: new Client(url, ADMIN_TOKEN) };
  }

  it('a token is made, the doctor finds all in order, and keys are rotated', async () => {
    const { SECRET_KEY: oldKey = '', ...settings } = database.settings;
    const newKey = randomBytes(32).toString('base64');
    const first = await start(oldKey);
    await addGateway(first.owner, gateway);
    await eventually(
      () => first.owner.run(Connections),
      ({ gateways }) => gateways.nodes[0]?.connection.state === 'CONNECTED',
    );
    const alone = await runCommand(['keys', 'rotate'], { ...settings, SECRET_KEY: oldKey });
    expect(alone).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^SECRET_KEY has one key: put a new/),
    });

    const made = await runCommand(['token', 'create', '--role', 'VIEWER', '--json'], {
      ...settings,
      SECRET_KEY: oldKey,
    });
    expect(made, made.stderr).toMatchObject({ code: 0 });
    expect((await new Client(first.url, JSON.parse(made.stdout).secret).run(Connections)).viewer.role).toBe('VIEWER');

    const second = await start(`${newKey},${oldKey}`);
    const both = { ...settings, SECRET_KEY: `${newKey}, ${oldKey}` };
    const rotated = await runCommand(['keys', 'rotate', '--json'], both);
    expect(rotated, rotated.stderr).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(rotated.stdout)).toEqual({ reencrypted: 2, current: 0, key: 'SECRET_KEY' });
    const again = await runCommand(['keys', 'rotate', '--json'], both);
    expect(JSON.parse(again.stdout)).toMatchObject({ reencrypted: 0, current: 2 });
    const id = (await second.owner.run(Connections)).gateways.nodes[0]?.id ?? '';
    expect(await second.owner.run(Recheck, { id })).toMatchObject({
      checkGateway: { connection: { state: 'CONNECTED' } },
    });
    for (const { server } of [first, second]) await server.stop();

    const third = await start(newKey);
    expect(await third.owner.run(Recheck, { id })).toMatchObject({
      checkGateway: { connection: { state: 'CONNECTED' } },
    });
    const BASE_URL = third.url;
    const doctor = await runCommand(['doctor', '--json'], { ...settings, BASE_URL, SECRET_KEY: newKey });
    expect(doctor).toMatchObject({ code: 0, stderr: '' });
    const { findings } = JSON.parse(doctor.stdout);
    expect(findings.map(({ name, outcome }: { name: string; outcome: string }) => `${name} ${outcome}`)).toEqual([
      ...['configuration', 'templates', 'database', 'migrations', 'keys', 'BASE_URL'].map((name) => `${name} ok`),
      expect.stringMatching(/^gateway .* ok$/),
    ]);
    await third.server.stop();
  });
});
