import { expect } from 'vitest';
import { ConfigWriter } from '../../src/gateway/config-writer.ts';
import { SUPERSEDED } from '../../src/simulator/simulator.ts';
import { SendAgentMessage } from '../api/documents.ts';
import { CreateAgent, CreateBoard, DeleteAgent, ReadAgent, ReadAgentLog, UpdateAgent } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, provisioned } from '../support/fleet.ts';
import { answering } from './answering.ts';
import { connecting, expectAllWell } from './connecting.ts';
import { faultyUntilRepaired } from './faulty.ts';
import { checkGateway, gatewayWhen, readGateway } from './reading.ts';
import { type Cause, LASTING, PASSING_REFUSAL, WAIT_FOR_IT } from './row.ts';
import type { Stage } from './stage.ts';

// What this server itself finds wrong, beside what it is told by sockets and gateways.

const UPDATE_OPENCLAW =
  "Update OpenClaw on the gateway's machine to 2026.5.9 or later, the first that speaks protocol 4.";
const VERSIONS_DIFFER = 'Update OpenClaw on the gateway, or this server: their versions do not understand each other.';
const NO_MODEL =
  'The gateway has no usable model, so its agents cannot run: on its machine run openclaw configure, or openclaw models set <model>.';
const TOO_LONG =
  'Correct the template or the text that is too long with updateAgent, or in the template folder and call syncGatewayTemplates.';

/** Of a gateway that lets this server in, and is of no use. */
export const HELLO: readonly Cause[] = [
  connecting('the gateway gives this server no rights', {
    to: async (stage) => {
      const gateway = await stage.scripted();
      gateway.hello = { auth: { method: 'token', role: 'operator', scopes: ['operator.read'] } };
      return { url: gateway.url };
    },
    state: 'UNAUTHORIZED',
    triesAgain: true,
    ...LASTING,
    message: 'The gateway lets this server in but gives it no administrator rights (operator.admin).',
    hint: 'Let the proxy before the gateway pass operator.admin in its header x-openclaw-scopes, or reach the gateway without that proxy, for example through a tunnel.',
  }),
  connecting('the gateway is too old', {
    to: (stage) => stage.simulator({ protocol: 3 }),
    state: 'INCOMPATIBLE',
    triesAgain: true,
    ...LASTING,
    message: 'The gateway speaks protocol 3; this server speaks protocol 4.',
    hint: UPDATE_OPENCLAW,
  }),
  connecting('the hello of the gateway is not understood', {
    to: async (stage) => {
      const gateway = await stage.scripted();
      gateway.hello = { features: { methods: 'all of them', events: [] } };
      return { url: gateway.url };
    },
    state: 'INCOMPATIBLE',
    triesAgain: true,
    ...LASTING,
    message: 'invalid connect params: the hello of the gateway is not understood',
    hint: VERSIONS_DIFFER,
  }),
];

/** Of answers. */
export const ANSWERS: readonly Cause[] = [
  answering('an answer of the gateway is not understood', {
    at: faultyUntilRepaired({ method: 'cron.list', kind: 'answer', payload: { jobs: 'none' } }),
    ...LASTING,
    gatewayCode: null,
    message:
      "The gateway's answer to cron.list is not understood: jobs: Invalid input: expected array, received string",
    hint: VERSIONS_DIFFER,
  }),
  answering("somebody else writes the agent's heartbeat instructions each time", {
    at: faultyUntilRepaired({ method: 'cron.scratch.set', kind: 'answer', payload: { ok: false, currentRevision: 7 } }),
    ...PASSING_REFUSAL,
    gatewayCode: null,
    message: 'The heartbeat instructions are being changed by someone else at the same time.',
    hint: WAIT_FOR_IT,
  }),
  {
    // Through the product after a minute.
    cause: 'the gateway does not apply its configuration (at the writer itself)',
    show: async (stage) => {
      const gateway = await stage.simulator();
      const connection = stage.connection(gateway);
      await connection.ready();
      gateway.faults.add({ method: 'config.patch', kind: 'refuse', error: SUPERSEDED });
      const payload = { hash: 'h', configRevisionHash: 'on disk', appliedConfigHash: 'older' };
      gateway.faults.add({ method: 'config.get', kind: 'answer', payload, times: Number.POSITIVE_INFINITY });
      const writer = new ConfigWriter(connection, { settleMs: 50 });
      await expect(writer.patch({ fox: { name: 'Fox' } })).rejects.toMatchObject({
        reason: 'superseded',
        message: 'The gateway does not apply its configuration: another write was in the way.',
        hint: 'Restart the gateway if this lasts: what runs is older than the configuration on its disk.',
        retryable: true,
      });
    },
  },
];

/** Of the gateway's model and of what its agents may do. */
export const AGENTS_THAT_CANNOT: readonly Cause[] = [
  {
    cause: 'the gateway has no usable model, until it has one',
    show: async (stage) => {
      const gateway = await stage.simulator({ modelConfigured: false });
      const id = await stage.add(gateway);
      const { mainAgent } = await gatewayWhen(stage, id, ({ provisioning }) => provisioning.phase === 'SUCCEEDED');
      const { agent } = await stage.mc.owner.run(ReadAgent, { id: mainAgent.id });
      expect(agent?.provisioning.steps.find(({ name }) => name === 'WAKE')).toMatchObject({
        outcome: 'UNCHANGED',
        detail: 'not woken: the gateway has no usable model',
      });
      expect(await checkGateway(stage, id)).toMatchObject({
        __typename: 'Gateway',
        connection: { state: 'CONNECTED', lastError: null, hint: NO_MODEL },
      });
      const { sendAgentMessage } = await stage.mc.owner.run(SendAgentMessage, {
        input: { id: mainAgent.id, message: 'Hello' },
      });
      expect(sendAgentMessage).toEqual({
        __typename: 'GatewayError',
        code: 'GATEWAY_UNAVAILABLE',
        message: 'The gateway has no usable model, so its agents cannot run.',
        hint: NO_MODEL,
        gatewayCode: null,
        retryable: true,
      });
      expect(gateway.runs()).toEqual([]);

      // The same gateway with a model, as after openclaw configure and a restart.
      await gateway.kill();
      const { port, token, stateDir } = gateway;
      const configured = await stage.simulator({ port, token, stateDir });
      await eventually(
        () => configured.runs(),
        (runs) => runs.some(({ agentId }) => agentId === agent?.openclawAgentId),
      );
      await expectAllWell(stage, id);
    },
  },
  ...[
    {
      cause: 'the tool that runs commands is denied',
      tools: { deny: ['exec'] },
      hint: 'This agent does not have the tool "exec" on its gateway (its tool profile is "full"), so it cannot report in or use the API: its status is only what is seen at the gateway. In the gateway\'s configuration take "exec" and "group:runtime" out of tools.deny, and set {entry}.tools.alsoAllow to ["exec"].',
    },
    {
      cause: 'the tool profile does not have the tool that runs commands',
      tools: { profile: 'messaging' },
      hint: 'This agent does not have the tool "exec" on its gateway (its tool profile is "messaging"), so it cannot report in or use the API: its status is only what is seen at the gateway. In the gateway\'s configuration take "exec" and "group:runtime" out of tools.deny, and set {entry}.tools.alsoAllow to ["exec"].',
    },
    {
      cause: 'commands are refused',
      tools: { exec: { mode: 'deny' } },
      hint: 'This agent’s commands are refused on its gateway, so it cannot report in or use the API: its status is only what is seen at the gateway. In the gateway\'s configuration set {entry}.tools.exec.mode to "full".',
    },
    {
      cause: 'commands wait for a person',
      tools: { exec: { mode: 'ask' } },
      hint: 'This agent’s commands wait for a person’s approval on its gateway, so it cannot report in or use the API: its status is only what is seen at the gateway. In the gateway\'s configuration set {entry}.tools.exec.mode to "full".',
    },
    {
      cause: 'only some commands may be run',
      tools: { exec: { mode: 'allowlist' } },
      hint: 'This agent may run only some commands on its gateway (an allowlist or a sandbox), perhaps not curl, so it cannot report in or use the API: its status is only what is seen at the gateway. In the gateway\'s configuration set {entry}.tools.exec.mode to "full".',
    },
  ].map(commandsRefused),
  {
    cause: 'three wake-ups go unanswered',
    show: async (stage) => {
      const gateway = await stage.simulator();
      // Accepted, and no run comes of it.
      const payload = { runId: 'never', status: 'started' };
      gateway.faults.add({ method: 'chat.send', kind: 'answer', payload, times: Number.POSITIVE_INFINITY });
      const { mainAgent } = await readGateway(stage, await stage.add(gateway));
      const { agent } = await eventually(
        () => stage.mc.owner.run(ReadAgentLog, { id: mainAgent.id }),
        ({ agent }) => agent?.events.nodes.at(-1)?.liveness === 'OFFLINE',
        40_000,
        500,
      );
      const told = agent?.events.nodes.filter(({ type }) => type === 'UPDATED' || type === 'LIVENESS_CHANGED');
      expect(told?.map(({ message }) => message)).toEqual([
        'No sign of life within 5 s of the wake-up: it is woken again (2 of 3).',
        'No sign of life within 5 s of the wake-up: it is woken again (3 of 3).',
        'No sign of life after 3 wake-ups. Look at what its session at the gateway says, or wake it with wakeAgent.',
      ]);
    },
  },
];

/** Of what operators write. */
export const DOCUMENTS: readonly Cause[] = [
  {
    cause: "a template does not render with the agent's own values, until it is changed",
    show: async (stage) => {
      const { boardId } = await boardOn(stage);
      // Right for the sample that it is checked with when it is given.
      const soulTemplate =
        "{% if board_objective == 'Sample objective' %}Be kind.{% else %}{{ board_mood }}{% endif %}";
      const { createAgent } = await stage.mc.owner.run(CreateAgent, {
        input: { boardId, name: 'Moody', soulTemplate },
      });
      if (createAgent.__typename !== 'Agent') expect.fail(JSON.stringify(createAgent));
      const { id } = createAgent;
      expect((await failed(stage, id)).lastError).toEqual({
        ...VALIDATION,
        message: 'Line 1 of the template soulTemplate uses the unknown variable board_mood.',
        hint: TOO_LONG,
      });
      await stage.mc.owner.run(UpdateAgent, { input: { id, soulTemplate: 'Be kind.' } });
      await provisioned(stage.mc.owner, id);
    },
  },
  {
    cause: "a document is longer than the agent's model is shown",
    show: async (stage) => {
      const { gateway, gatewayId, boardId } = await boardOn(stage);
      const { createBoard } = await stage.mc.owner.run(CreateBoard, {
        input: { gatewayId, name: 'Long', objective: 'All of it. '.repeat(900), lead: { name: 'Lena' } },
      });
      if (createBoard.__typename !== 'Board' || !createBoard.lead) expect.fail(JSON.stringify(createBoard));
      const provisioning = await failed(stage, createBoard.lead.id);
      expect(provisioning.lastError).toEqual({ ...VALIDATION, message: expect.any(String), hint: TOO_LONG });
      expect(provisioning.lastError?.message).toMatch(
        /^AGENTS\.md has [\d,]+ characters and the agent's model is shown 20,000 at most: \w+\.md [\d,]+(, \w+\.md [\d,]+)+\.$/,
      );
      expect(provisioning.steps.find((step) => step.name === 'RENDER')?.outcome).toBe('FAILED');
      // Nothing was written of it, and the others on the gateway are not held back.
      const { openclawAgentId } = createBoard.lead;
      expect(
        gateway.requests.filter(
          ({ method, params }) => method === 'agents.files.set' && params.agentId === openclawAgentId,
        ),
      ).toEqual([]);
      await provisioned(stage.mc.owner, (await addAgent(stage.mc.owner, boardId, 'Bea')).id);
    },
  },
];

/** Of agents that are to go. */
export const REMOVALS: readonly Cause[] = [
  {
    cause: 'an agent cannot be taken out of the configuration',
    show: async (stage) => {
      const { gateway, boardId } = await boardOn(stage);
      const { id } = await addAgent(stage.mc.owner, boardId, 'Stuck');
      await provisioned(stage.mc.owner, id);
      const message = 'Config write rejected: /srv/openclaw.json (size-drop:4690->1356). code=CONFIG_WRITE_REJECTED';
      const error = { code: 'UNAVAILABLE', message, retryable: false };
      gateway.faults.add({ method: 'agents.delete', kind: 'refuse', times: Number.POSITIVE_INFINITY, error });
      await stage.mc.owner.run(DeleteAgent, { id });
      const { lastError, nextAttemptAt } = await failed(stage, id);
      expect(lastError).toEqual({
        message,
        code: 'GATEWAY_REJECTED',
        gatewayCode: 'UNAVAILABLE',
        retryable: false,
        hint: "Shorten the largest entries of openclaw.json on the gateway's machine by hand: it refuses to lose half of its size at once.",
      });
      expect(nextAttemptAt).not.toBeNull();
    },
  },
];

const VALIDATION = { code: 'VALIDATION', gatewayCode: null, retryable: false } as const;

async function failed({ mc }: Stage, id: string) {
  const { agent } = await eventually(
    () => mc.owner.run(ReadAgent, { id }),
    ({ agent }) => agent?.provisioning.phase === 'FAILED',
  );
  return agent?.provisioning ?? expect.fail('There is no such agent.');
}

async function boardOn(stage: Stage) {
  const gateway = await stage.simulator();
  const gatewayId = await stage.add(gateway);
  const { id: boardId } = await addBoard(stage.mc.owner, gatewayId, { name: `Board of ${gatewayId}` });
  return { gateway, gatewayId, boardId };
}

function commandsRefused({
  cause,
  tools,
  hint,
}: {
  cause: string;
  tools: Record<string, unknown>;
  hint: string;
}): Cause {
  return {
    cause,
    show: async (stage) => {
      const id = await stage.add(await stage.simulator({ tools }));
      const { mainAgent, provisioning } = await gatewayWhen(
        stage,
        id,
        ({ provisioning }) => provisioning.phase === 'SUCCEEDED',
      );
      const { agent } = await stage.mc.owner.run(ReadAgent, { id: mainAgent.id });
      const entry = `agents.entries.${agent?.openclawAgentId}`;
      expect(provisioning).toMatchObject({ lastError: null, hint: hint.replace('{entry}', entry) });
    },
  };
}
