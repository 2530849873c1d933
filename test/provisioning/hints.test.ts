import { createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';
import { CreateBoard, ReadAgent } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { entriesOf } from '../support/workspace.ts';

const ReadConnection = graphql(`
  query ReadConnectionForHints($id: ID!) {
    gateway(id: $id) {
      hasToken
      connection { state serverVersion protocolVersion lastError hint nextAttemptAt connectedAt latencyMs }
      mainAgent { id status provisioning { phase hint attempts nextAttemptAt lastError { message code hint retryable gatewayCode } } }
    }
  }
`);

const CheckGateway = graphql(`
  mutation CheckGatewayForHints($id: ID!) {
    checkGateway(id: $id) {
      __typename
      ... on Gateway { connection { state latencyMs lastError hint } }
      ... on GatewayError { gatewayCode hint retryable }
      ... on Error { message code }
    }
  }
`);

const SECRET = 'the-gateway-token-that-nobody-may-see';

describe('what an operator reads when', () => {
  let mc: MissionControl;
  const started: Simulator[] = [];

  beforeAll(async () => {
    mc = await startMissionControl();
  });
  afterAll(async () => {
    await mc.stop();
    for (const gateway of started) await gateway.stop();
  });

  async function simulator(options: SimulatorOptions = {}): Promise<Simulator> {
    const gateway = await startSimulator(options);
    started.push(gateway);
    return gateway;
  }

  const add = async (url: string, name: string, token = SECRET) =>
    (await addGateway(mc.owner, { url, token, stateDir: '/workspaces' }, name)).id;

  /** What the API says about a gateway when its state is so; never its token. */
  async function reads(id: string, state: string, timeoutMs = 20_000) {
    const { gateway } = await eventually(
      () => mc.owner.run(ReadConnection, { id }),
      ({ gateway }) =>
        gateway?.connection.state === state &&
        ['FAILED', 'RETRYING', 'SUCCEEDED'].includes(gateway.mainAgent?.provisioning.phase ?? ''),
      timeoutMs,
    );
    const { checkGateway } = await mc.owner.run(CheckGateway, { id });
    expect(JSON.stringify([gateway, checkGateway])).not.toContain(SECRET);
    if (!gateway?.mainAgent) return expect.fail('no main agent');
    return { ...gateway, checkGateway, provisioning: gateway.mainAgent.provisioning };
  }

  it('nobody listens', { concurrent: true }, async () => {
    const id = await add('ws://127.0.0.1:1', 'Nobody');
    const { connection, provisioning, checkGateway } = await reads(id, 'UNREACHABLE');
    const message = 'Nothing listens at ws://127.0.0.1:1.';
    const hint = 'Start the gateway, or correct its URL with updateGateway.';
    expect(connection).toMatchObject({ lastError: message, hint, serverVersion: null, connectedAt: null });
    expect(provisioning).toMatchObject({
      phase: 'RETRYING',
      lastError: { message, hint, code: 'GATEWAY_UNAVAILABLE', retryable: true },
    });
    expect(Date.parse(provisioning.nextAttemptAt ?? '')).toBeGreaterThan(0);
    expect(checkGateway).toMatchObject({
      __typename: 'GatewayError',
      code: 'GATEWAY_UNAVAILABLE',
      message,
      hint,
      retryable: true,
    });
  });

  it('the token is wrong, and the gateway is left in peace', { concurrent: true }, async () => {
    const gateway = await simulator();
    const id = await add(gateway.url, 'Wrong token');
    const { connection, provisioning, checkGateway } = await reads(id, 'UNAUTHORIZED');
    const message = 'The gateway refuses the token.';
    const hint =
      "Set the gateway's token with updateGateway; on its machine it is gateway.auth.token in openclaw.json.";
    expect(connection).toMatchObject({ lastError: message, hint, nextAttemptAt: null });
    expect(provisioning).toMatchObject({
      phase: 'FAILED',
      nextAttemptAt: null,
      lastError: { message, hint, code: 'GATEWAY_REJECTED', gatewayCode: 'AUTH_TOKEN_MISMATCH', retryable: false },
    });
    expect(checkGateway).toMatchObject({
      __typename: 'GatewayError',
      code: 'GATEWAY_REJECTED',
      gatewayCode: 'AUTH_TOKEN_MISMATCH',
      message,
      hint,
      retryable: false,
    });
    const connects = () => gateway.requests.filter((request) => request.method === 'connect').length;
    const before = connects();
    // What is asked for meanwhile is told the same at once, without asking the gateway.
    const board = await addBoard(mc.owner, id, { name: 'Wrong token', lead: 'Lena' });
    const lead = board.lead?.id ?? '';
    const { agent } = await eventually(
      () => mc.owner.run(ReadAgent, { id: lead }),
      ({ agent }) => agent?.provisioning.phase === 'FAILED',
    );
    expect(agent?.provisioning).toMatchObject({ attempts: 1, nextAttemptAt: null, lastError: { message, hint } });
    expect(agent?.status).toBe('PROVISIONING');
    expect(connects()).toBe(before);
    expect(before).toBeLessThanOrEqual(2);
  });

  it('the gateway is too old', { concurrent: true }, async () => {
    const gateway = await simulator({ protocol: 3, token: SECRET });
    const id = await add(gateway.url, 'Old');
    const { connection, provisioning, checkGateway } = await reads(id, 'INCOMPATIBLE');
    const message = 'The gateway speaks protocol 3; this server speaks protocol 4.';
    const hint = "Update OpenClaw on the gateway's machine to 2026.5.9 or later, the first that speaks protocol 4.";
    expect(connection).toMatchObject({ lastError: message, hint, nextAttemptAt: null });
    expect(provisioning).toMatchObject({ phase: 'FAILED', lastError: { message, hint, retryable: false } });
    expect(checkGateway).toMatchObject({ code: 'GATEWAY_REJECTED', message, hint, retryable: false });
  });

  it('the gateway gives a client from elsewhere no rights', { concurrent: true }, async () => {
    const gateway = await simulator({ remote: true, token: SECRET });
    const id = await add(gateway.url, 'Elsewhere');
    const { connection, provisioning, checkGateway } = await eventually(
      () => reads(id, 'UNAUTHORIZED').catch(() => reads(id, 'PAIRING_REQUIRED')),
      () => true,
    );
    expect(connection.lastError).toMatch(/no administrator rights|waits for this server's device/);
    expect(connection.hint).toMatch(/tunnel|openclaw devices approve/);
    expect(provisioning).toMatchObject({ phase: 'FAILED', lastError: { hint: connection.hint, retryable: false } });
    expect(checkGateway).toMatchObject({ code: 'GATEWAY_REJECTED', hint: connection.hint });
    expect(entriesOf(gateway)).toEqual([]);
  });

  it('the gateway is starting, and when it has started', { concurrent: true }, async () => {
    const gateway = await simulator({ token: SECRET, delays: { start: 60_000 } });
    const id = await add(gateway.url, 'Starting');
    const { gateway: early } = await eventually(
      () => mc.owner.run(ReadConnection, { id }),
      ({ gateway: read }) => read?.connection.state === 'UNREACHABLE',
    );
    expect(early?.connection).toMatchObject({
      lastError: 'The gateway is starting.',
      hint: 'Nothing to do: it is tried again by itself.',
    });
    await gateway.kill();
    gateway.delays.start = 0;
    await gateway.start();
    const { connection, provisioning, checkGateway } = await reads(id, 'CONNECTED');
    expect(connection).toMatchObject({ lastError: null, hint: null, serverVersion: '2026.9.6', protocolVersion: 4 });
    expect(provisioning.phase).toMatch(/SUCCEEDED|RETRYING/);
    expect(checkGateway).toMatchObject({ __typename: 'Gateway', connection: { state: 'CONNECTED', lastError: null } });
  });

  it('something accepts connections and says nothing', { concurrent: true, timeout: 60_000 }, async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const url = `ws://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    const id = await add(url, 'Silent');
    const { connection, provisioning, checkGateway } = await reads(id, 'UNREACHABLE', 30_000);
    const message = `${url} accepts connections but does not answer.`;
    const hint = "Check that the URL is the gateway's, and restart the gateway if it is.";
    expect(connection).toMatchObject({ lastError: message, hint });
    expect(provisioning).toMatchObject({ phase: 'RETRYING', lastError: { message, hint, retryable: true } });
    expect(checkGateway).toMatchObject({ code: 'GATEWAY_UNAVAILABLE', message, hint, retryable: true });
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  it('there is no usable model, and when there is one', { concurrent: true }, async () => {
    const gateway = await simulator({ token: SECRET, modelConfigured: false });
    const { id } = await addGateway(mc.owner, gateway, 'No model');
    const board = await addBoard(mc.owner, id, { name: 'No model' });
    const worker = await addAgent(mc.owner, board.id, 'Moira');
    const read = await provisioned(mc.owner, worker.id);
    expect(read.status).toBe('READY');
    expect(read.provisioning.steps.find((step) => step.name === 'WAKE')).toMatchObject({
      outcome: 'UNCHANGED',
      detail: 'not woken: the gateway has no usable model',
    });
    const { connection, checkGateway } = await reads(id, 'CONNECTED');
    const hint =
      'The gateway has no usable model, so its agents cannot run: on its machine run openclaw configure, or openclaw models set <model>.';
    expect(connection).toMatchObject({ lastError: null, hint });
    expect(checkGateway).toMatchObject({ __typename: 'Gateway', connection: { state: 'CONNECTED', hint } });
    expect(gateway.runs()).toEqual([]);

    // The same gateway with a model, as after openclaw configure and a restart.
    await gateway.kill();
    const { port, token, stateDir } = gateway;
    const configured = await simulator({ port, token, stateDir });
    await eventually(
      () => configured.runs().filter((run) => run.sessionKey === worker.sessionKey),
      (runs) => runs.length === 1,
    );
    const { gateway: now } = await mc.owner.run(ReadConnection, { id });
    expect(now?.connection).toMatchObject({ state: 'CONNECTED', hint: null });
    await eventually(
      () => mc.owner.run(ReadAgent, { id: worker.id }),
      ({ agent }) =>
        agent?.provisioning.phase === 'SUCCEEDED' &&
        agent.provisioning.steps.some((step) => step.name === 'WAKE' && step.outcome === 'CHANGED'),
    );
  });

  it('an agent may run no commands', { concurrent: true }, async () => {
    const gateway = await simulator({ token: SECRET, tools: { deny: ['exec'] } });
    const { id } = await addGateway(mc.owner, gateway, 'No commands');
    const board = await addBoard(mc.owner, id, { name: 'No commands' });
    const worker = await addAgent(mc.owner, board.id, 'Nora');
    const { provisioning } = await provisioned(mc.owner, worker.id);
    expect(provisioning.lastError).toBeNull();
    expect(provisioning.hint).toMatch(
      /^This agent does not have the tool "exec" on its gateway .*, so it cannot report in/,
    );
    expect(provisioning.hint).toMatch(/In the gateway's configuration take "exec" .* out of tools\.deny/);
  });

  it('a document is longer than the agent’s model is shown', { concurrent: true }, async () => {
    const gateway = await simulator({ token: SECRET });
    const { id } = await addGateway(mc.owner, gateway, 'Long');
    const { createBoard } = await mc.owner.run(CreateBoard, {
      input: { gatewayId: id, name: 'Long', objective: 'All of it. '.repeat(900), lead: { name: 'Lena' } },
    });
    if (createBoard.__typename !== 'Board') expect.fail(JSON.stringify(createBoard));
    const { agent } = await eventually(
      () => mc.owner.run(ReadAgent, { id: createBoard.lead?.id ?? '' }),
      ({ agent }) => agent?.provisioning.phase === 'FAILED',
    );
    expect(agent?.provisioning).toMatchObject({
      nextAttemptAt: null,
      lastError: {
        code: 'VALIDATION',
        retryable: false,
        hint: 'Change the template or the text that is too long; it is then tried again.',
      },
    });
    expect(agent?.provisioning.lastError?.message).toMatch(
      /^AGENTS\.md has [\d,]+ characters and the agent's model is shown 20,000 at most: .*BOARD\.md/,
    );
    expect(agent?.provisioning.steps.find((step) => step.name === 'RENDER')?.outcome).toBe('FAILED');
    // Nothing was written of it, and the others on the gateway are not held back.
    expect(
      gateway.requests.filter(
        (request) => request.method === 'agents.files.set' && request.params.agentId === agent?.openclawAgentId,
      ),
    ).toEqual([]);
    const board = await addBoard(mc.owner, id, { name: 'Beside it' });
    await provisioned(mc.owner, (await addAgent(mc.owner, board.id, 'Bea')).id);
  });
});
