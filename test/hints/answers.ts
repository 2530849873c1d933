import { expect } from 'vitest';
import { deleteAgent, listAgents } from '../../src/gateway/agents.ts';
import { sendChat } from '../../src/gateway/chat.ts';
import type { GatewayConnection } from '../../src/gateway/connection.ts';
import { graphql } from '../../src/generated/client/gql.ts';
import { SUPERSEDED } from '../../src/simulator/simulator.ts';
import { SendAgentMessage } from '../api/documents.ts';
import { eventually } from '../support/eventually.ts';
import { answering } from './answering.ts';
import { connecting, expectAllWell } from './connecting.ts';
import { refusing, refusingUntilRepaired } from './faulty.ts';
import { gatewayWhen } from './reading.ts';
import { LASTING, PASSING, PASSING_REFUSAL, type Row, row, SEE_LOG, WAIT_FOR_IT } from './row.ts';
import type { Address, Stage } from './stage.ts';

const VERSIONS_DIFFER = 'Update OpenClaw on the gateway, or this server: their versions do not understand each other.';

const INVALID = { code: 'INVALID_REQUEST', retryable: false } as const;
const UNAVAILABLE = { code: 'UNAVAILABLE', retryable: false } as const;

const NOT_PERMITTED = "Error: EPERM: operation not permitted, mkdir '/w/workspace-mc-1': code=EPERM";
const MAINTENANCE =
  'StartupMaintenanceRequiredError: Legacy workspace setup state requires migration for /w/workspace-mc-1: code=gateway.maintenance_required';
const OWNERSHIP =
  'invalid config: agents.ownership: multi-agent rosters require agents.ownership="explicit" or one legacy default=true marker; add agents.ownership="explicit" or run openclaw doctor';
const SIZE_DROP =
  'Config write rejected: /srv/openclaw.json (size-drop:4690->1356). Rejected payload saved to /srv/openclaw.json.rejected. code=CONFIG_WRITE_REJECTED';
const ROSTER_DROP = 'Error: Config write would drop agent roster entries without an explicit deletion: fox.';

/** In the order of src/gateway/failures/answers.ts. The messages are OpenClaw 2026.9.6's own. */
export const ANSWERS: readonly Row[] = [
  row(
    'starting',
    connecting('the gateway is still starting, until it has started', {
      to: async (stage) => {
        const gateway = await stage.simulator({ delays: { start: 60_000 } });
        const repair = async () => {
          await gateway.kill();
          gateway.delays.start = 0;
          await gateway.start();
        };
        return { url: gateway.url, stateDir: gateway.stateDir, repair };
      },
      state: 'UNREACHABLE',
      triesAgain: true,
      // Whoever waits for it goes on waiting.
      slow: true,
      ...PASSING,
      gatewayCode: 'UNAVAILABLE',
      message: 'The gateway is starting.',
      hint: WAIT_FOR_IT,
    }),
  ),
  row('draining', {
    cause: 'a message is sent while the gateway restarts',
    show: async (stage) => {
      const gateway = await stage.simulator();
      const send = await sendingTo(stage, await stage.add(gateway));
      gateway.delays.drain = 2_000;
      const restarted = gateway.restart();
      expect(await send('During the restart')).toMatchObject({
        __typename: 'GatewayError',
        message: 'The gateway is restarting.',
        hint: WAIT_FOR_IT,
        ...PASSING,
        gatewayCode: 'UNAVAILABLE',
      });
      await restarted;
      expect(await send('After the restart')).toMatchObject({ __typename: 'Agent' });
    },
  }),
  row(
    'draining',
    answering('the gateway has to restart for what was written, until it does so no more', {
      at: refusingUntilRepaired('config.patch', {
        ...UNAVAILABLE,
        message:
          'config.patch persisted and updated the active Gateway, but a recovery restart is required; wait for the Gateway to restart, then run config.get to confirm the active revision',
      }),
      ...PASSING,
      gatewayCode: 'UNAVAILABLE',
      message: 'The gateway restarts to take over its new configuration.',
      hint: WAIT_FOR_IT,
    }),
  ),
  row(
    'workspace-refused',
    answering('the workspace may not be made', {
      at: refusing('agents.files.set', { ...UNAVAILABLE, message: NOT_PERMITTED }),
      ...LASTING,
      gatewayCode: 'UNAVAILABLE',
      message: NOT_PERMITTED,
      hint: "Let the gateway's user write to the workspace's folder, or choose another workspaceRoot with updateGateway; then call checkGateway.",
    }),
  ),
  row(
    'workspace-refused',
    answering('the workspace lies below something that is no folder', {
      at: refusing('agents.files.set', { ...UNAVAILABLE, message: MAINTENANCE }),
      ...LASTING,
      gatewayCode: 'UNAVAILABLE',
      message: MAINTENANCE,
      hint: "Run openclaw doctor --fix on the gateway's machine, or choose another workspaceRoot with updateGateway; then call checkGateway.",
    }),
  ),
  row(
    'busy',
    answering('too many requests wait at the gateway', {
      at: refusingUntilRepaired('sessions.patch', {
        code: 'UNAVAILABLE',
        message: 'The server is busy. Please try again in a moment.',
        retryable: true,
      }),
      ...PASSING,
      gatewayCode: 'UNAVAILABLE',
      message: 'The server is busy. Please try again in a moment.',
      hint: WAIT_FOR_IT,
    }),
  ),
  ...Object.entries({
    'sessions are listed just after an agent was deleted': 'Session history database read was revoked',
    'sessions are listed while the gateway could not close those of an agent that it should delete':
      'Error: Agent database resources are closing: /agents/mc-1/agent/openclaw-agent.sqlite',
  }).map(([cause, message]) =>
    row('busy', {
      cause,
      show: async (stage) => {
        const gateway = await stage.simulator();
        const id = await stage.add(gateway);
        await expectAllWell(stage, id);
        // It is asked three times for a list.
        gateway.faults.add({ method: 'sessions.list', kind: 'refuse', times: 3, error: { ...UNAVAILABLE, message } });
        const { errors } = await stage.mc.owner.ask(ListSessions, { id });
        expect(errors).toEqual([
          expect.objectContaining({
            message,
            extensions: expect.objectContaining({
              code: PASSING.code,
              gatewayCode: 'UNAVAILABLE',
              hint: WAIT_FOR_IT,
            }),
          }),
        ]);
        const again = await stage.mc.owner.run(ListSessions, { id });
        expect(again.gateway?.sessions).toHaveLength(1);
      },
    }),
  ),
  row(
    'rate-limited',
    answering('the configuration was written too often, and still is after eight tries', {
      at: refusingUntilRepaired('config.patch', {
        code: 'UNAVAILABLE',
        message: 'rate limit exceeded for config.patch; retry after 1s',
        details: { method: 'config.patch', limit: '30 per 60s' },
        retryable: true,
        retryAfterMs: 20,
      }),
      ...PASSING_REFUSAL,
      gatewayCode: 'UNAVAILABLE',
      message: 'rate limit exceeded for config.patch; retry after 1s',
      hint: WAIT_FOR_IT,
    }),
  ),
  row(
    'session-busy',
    answering('the session is being reset', {
      at: refusingUntilRepaired('sessions.patch', {
        ...UNAVAILABLE,
        message: 'Session agent:fox:main has another lifecycle mutation in progress; try again.',
      }),
      ...PASSING,
      gatewayCode: 'UNAVAILABLE',
      message: 'Session agent:fox:main has another lifecycle mutation in progress; try again.',
      hint: WAIT_FOR_IT,
    }),
  ),
  row(
    'superseded',
    answering('somebody else wins each time that the configuration is written', {
      at: refusingUntilRepaired('config.patch', SUPERSEDED),
      ...PASSING_REFUSAL,
      gatewayCode: 'UNAVAILABLE',
      message: SUPERSEDED.message,
      hint: WAIT_FOR_IT,
    }),
  ),
  row(
    'stale-config',
    answering('somebody else changes the configuration each time before it is written', {
      at: refusingUntilRepaired('config.patch', {
        ...INVALID,
        message: 'config changed since last load; re-run config.get and retry',
      }),
      ...PASSING_REFUSAL,
      gatewayCode: 'INVALID_REQUEST',
      message: 'config changed since last load; re-run config.get and retry',
      hint: WAIT_FOR_IT,
    }),
  ),
  row(
    'ownership',
    answering('the configuration does not say who owns the agents', {
      at: refusingUntilRepaired('config.patch', { ...INVALID, message: OWNERSHIP }),
      ...LASTING,
      gatewayCode: 'INVALID_REQUEST',
      message: OWNERSHIP,
      hint: 'Set agents.ownership to "explicit" in openclaw.json on the gateway\'s machine.',
    }),
  ),
  row(
    'size-drop',
    answering('the configuration would lose half of its size', {
      at: refusing('config.patch', { ...UNAVAILABLE, message: SIZE_DROP }),
      ...LASTING,
      gatewayCode: 'UNAVAILABLE',
      message: SIZE_DROP,
      hint: "Shorten the largest entries of openclaw.json on the gateway's machine by hand: it refuses to lose half of its size at once.",
    }),
  ),
  row(
    'roster-drop',
    answering('the configuration would lose an agent', {
      at: refusing('config.patch', { ...UNAVAILABLE, message: ROSTER_DROP }),
      ...LASTING,
      gatewayCode: 'UNAVAILABLE',
      message: ROSTER_DROP,
      hint: SEE_LOG,
    }),
  ),
  row(
    'invalid-config',
    answering('the configuration has a key that the gateway does not know', {
      at: (stage) => stage.simulator({ tools: { denyAll: true } }),
      ...LASTING,
      gatewayCode: 'INVALID_REQUEST',
      message: 'invalid config: tools: Unrecognized key: "denyAll"',
      hint: "Correct the agent's value that is named with updateAgent, or run openclaw doctor on the gateway's machine.",
    }),
  ),
  row(
    'file-conflict',
    answering('somebody else writes the file each time before it is written', {
      at: refusingUntilRepaired('agents.files.set', {
        ...INVALID,
        message: 'agent file "AGENTS.md" changed since it was read',
        details: { type: 'agent_file_conflict', name: 'AGENTS.md' },
      }),
      ...PASSING_REFUSAL,
      gatewayCode: 'INVALID_REQUEST',
      message: 'agent file "AGENTS.md" changed since it was read',
      hint: WAIT_FOR_IT,
    }),
  ),
  row(
    'unsupported-file',
    answering('the gateway does not take a file, though it lets read it', {
      at: refusing('agents.files.set', { ...INVALID, message: 'unsupported file "SOUL.md"' }),
      ...LASTING,
      gatewayCode: 'INVALID_REQUEST',
      message: 'unsupported file "SOUL.md"',
      hint: "Update OpenClaw on the gateway's machine: it does not take a file that it lets read.",
    }),
  ),
  row(
    'unsafe-file',
    answering('a file of the workspace is a link', {
      at: refusing('agents.files.set', { ...INVALID, message: 'unsafe workspace file "AGENTS.md"' }),
      ...LASTING,
      gatewayCode: 'INVALID_REQUEST',
      message: 'unsafe workspace file "AGENTS.md"',
      hint: "Look at the file in the agent's workspace: the gateway reads no links, no very large files and only text and images.",
    }),
  ),
  row(
    'missing-scope',
    answering("this server's rights were taken from it while it is connected", {
      at: refusing('config.patch', {
        code: 'FORBIDDEN',
        message: 'missing scope: operator.admin',
        details: { code: 'MISSING_SCOPE', missingScope: 'operator.admin', requiredScopes: ['operator.admin'] },
        retryable: false,
      }),
      ...LASTING,
      gatewayCode: 'MISSING_SCOPE',
      message: 'missing scope: operator.admin',
      hint: "Give this server's device the scope operator.admin: openclaw devices list on the gateway's machine shows what it has.",
    }),
  ),
  row('already-exists', {
    // For this server it is no error.
    cause: 'an agent is created that is there (at the connection itself)',
    show: async (stage) => {
      const connection = await ready(stage, await stage.simulator());
      await connection.request('agents.create', { name: 'fox' });
      await expect(connection.request('agents.create', { name: 'fox' })).rejects.toMatchObject({
        reason: 'already-exists',
        message: 'agent "fox" already exists',
        hint: null,
        retryable: false,
      });
    },
  }),
  row('half-deleted', {
    // This server deletes it to the end.
    cause: 'an agent is created that was deleted in the middle of a run (at the connection itself)',
    show: async (stage) => {
      const connection = await ready(stage, await stage.simulator({ delays: { model: 600_000 } }));
      await connection.request('agents.create', { name: 'fox' });
      await eventually(
        () => listAgents(connection),
        (agents) => agents.some(({ id }) => id === 'fox'),
      );
      await connection.request('chat.send', { sessionKey: 'agent:fox:main', message: 'Run.', idempotencyKey: 'run' });
      await connection.request('agents.delete', { agentId: 'fox' });
      await expect(connection.request('agents.create', { name: 'fox' })).rejects.toMatchObject({
        reason: 'half-deleted',
        message: 'agent "fox" deletion cleanup is still pending',
        hint: WAIT_FOR_IT,
        retryable: true,
      });
    },
  }),
  row(
    'not-found',
    answering('the gateway has lost the agent, until it has it again', {
      at: refusingUntilRepaired('agents.files.set', { ...INVALID, message: 'agent "fox" not found' }),
      ...PASSING_REFUSAL,
      gatewayCode: 'INVALID_REQUEST',
      message: 'agent "fox" not found',
      hint: WAIT_FOR_IT,
    }),
  ),
  row('protected-agent', {
    // No agent that this server manages is the gateway's own.
    cause: "the gateway's own agent is deleted (at the connection itself)",
    show: async (stage) => {
      const connection = await ready(stage, await stage.simulator());
      await expect(deleteAgent(connection, 'main')).rejects.toMatchObject({
        reason: 'protected-agent',
        message: expect.stringMatching(/^Agent "main" .* cannot be deleted/),
        hint: "Leave it: this is the gateway's own agent.",
        retryable: false,
      });
    },
  }),
  row(
    'label-in-use',
    answering('five sessions have the name already', {
      at: refusingUntilRepaired('sessions.patch', { ...INVALID, message: 'label already in use: Gateway agent (5)' }),
      ...LASTING,
      gatewayCode: 'INVALID_REQUEST',
      message: 'label already in use: Gateway agent (5)',
      hint: 'Choose another name with updateAgent.',
    }),
  ),
  row('message-conflict', {
    cause: 'a key is used for another message',
    show: async (stage) => {
      const gateway = await stage.simulator();
      const send = await sendingTo(stage, await stage.add(gateway));
      expect(await send('The first', 'the key')).toMatchObject({ __typename: 'Agent' });
      expect(await send('Another one', 'the key')).toEqual({
        __typename: 'ConflictError',
        code: 'CONFLICT',
        message: 'This idempotencyKey was already used for another message. Choose another one.',
      });
      // What that is made from.
      const connection = await ready(stage, gateway);
      const message = { sessionKey: 'agent:main:main', idempotencyKey: 'the key' };
      await sendChat(connection, { ...message, message: 'The first' });
      await expect(sendChat(connection, { ...message, message: 'Another one' })).rejects.toMatchObject({
        reason: 'message-conflict',
        hint: 'Send it with another idempotency key: this one belongs to another message.',
        retryable: false,
      });
    },
  }),
  row(
    'unknown-method',
    answering('the gateway lacks a method', {
      at: refusing('cron.list', { ...INVALID, message: 'unknown method: cron.list' }),
      ...LASTING,
      gatewayCode: 'INVALID_REQUEST',
      message: 'unknown method: cron.list',
      hint: "Update OpenClaw on the gateway's machine: this server uses a method that its version lacks.",
    }),
  ),
  row(
    'invalid-params',
    answering('the gateway does not take a parameter', {
      at: refusing('sessions.patch', {
        ...INVALID,
        message: "invalid sessions.patch params: at root: unexpected property 'label'",
      }),
      ...LASTING,
      gatewayCode: 'INVALID_REQUEST',
      message: "invalid sessions.patch params: at root: unexpected property 'label'",
      hint: VERSIONS_DIFFER,
    }),
  ),
];

/** What no rule knows, in the order of src/gateway/failures/table.ts. */
export const UNKNOWN: readonly Row[] = [
  row(
    'unavailable',
    answering('the gateway fails for a reason that is not known here', {
      at: refusingUntilRepaired('agents.files.set', { ...UNAVAILABLE, message: 'Error: something is amiss' }),
      ...PASSING,
      gatewayCode: 'UNAVAILABLE',
      message: 'Error: something is amiss',
      hint: SEE_LOG,
    }),
    answering('the gateway says itself that it may pass', {
      at: refusing('sessions.patch', { code: 'SOMETHING_NEW', message: 'not at this hour', retryable: true }),
      ...PASSING,
      gatewayCode: 'SOMETHING_NEW',
      message: 'not at this hour',
      hint: SEE_LOG,
    }),
  ),
  row(
    'rejected',
    answering('the gateway refuses for a reason that is not known here', {
      at: refusing('sessions.patch', { ...INVALID, message: 'sessions of this kind are kept elsewhere' }),
      ...LASTING,
      gatewayCode: 'INVALID_REQUEST',
      message: 'sessions of this kind are kept elsewhere',
      hint: SEE_LOG,
    }),
  ),
  row(
    'unreachable',
    connecting('what listens there speaks another protocol, for example SSH', {
      to: async (stage) => ({ url: `ws://${await stage.listener((socket) => socket.write('SSH-2.0-OpenSSH\r\n'))}` }),
      state: 'UNREACHABLE',
      triesAgain: true,
      ...PASSING,
      message: 'Parse Error: Expected HTTP/, RTSP/ or ICE/',
      hint: "Check the network between this server and the gateway's machine.",
    }),
  ),
];

const ListSessions = graphql(`
  query ListSessionsForHints($id: ID!) {
    gateway(id: $id) { sessions { key } }
  }
`);

async function ready(stage: Stage, gateway: Address): Promise<GatewayConnection> {
  const connection = stage.connection(gateway);
  await connection.ready();
  return connection;
}

/** Sends messages to the gateway's main agent, once that is provisioned. */
async function sendingTo(stage: Stage, gatewayId: string) {
  const { mainAgent } = await gatewayWhen(stage, gatewayId, ({ provisioning }) => provisioning.phase === 'SUCCEEDED');
  const { id } = mainAgent;
  return async (message: string, idempotencyKey: string | null = null) => {
    const { sendAgentMessage } = await stage.mc.owner.run(SendAgentMessage, { input: { id, message, idempotencyKey } });
    return sendAgentMessage;
  };
}
