import { expect } from 'vitest';
import type { GatewayConnection } from '../../src/gateway/connection.ts';
import type { FailureReason } from '../../src/gateway/failures/rule.ts';
import { fingerprint } from '../gateway/certificate.ts';
import { ReadAgent } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addBoard, provisioned } from '../support/fleet.ts';
import { connecting, expectAllWell, type ToConnect } from './connecting.ts';
import { checkGateway, gatewayWhen } from './reading.ts';
import { LASTING, MISCONFIGURED, PASSING, type Row, row, WAIT_FOR_IT } from './row.ts';
import { SECRET, type Stage } from './stage.ts';

const CHECK_NETWORK = "Check the network between this server and the gateway's machine.";
const NO_GATEWAY = "Correct the gateway's URL with updateGateway if this lasts: what answers there is no gateway.";
const PAST_PROXY =
  'Let this server past the proxy that stands before the gateway, or give the gateway an address without it.';

/** Tried again all the time, so that it is connected as soon as it can be. */
const unreachable = { state: 'UNREACHABLE', triesAgain: true } as const;

/** In the order of src/gateway/failures/transport.ts. */
export const TRANSPORT: readonly Row[] = [
  row('closed', {
    cause: 'somebody checks the gateway while it is written to, which connects afresh',
    show: async (stage) => {
      const gateway = await stage.simulator();
      gateway.faults.add({ method: 'config.patch', kind: 'stall' });
      const id = await stage.add(gateway);
      await eventually(
        () => gateway.requests,
        (requests) => requests.some(({ method }) => method === 'config.patch'),
      );
      expect(await checkGateway(stage, id)).toMatchObject({
        __typename: 'Gateway',
        connection: { state: 'CONNECTED' },
      });
      const { provisioning } = await gatewayWhen(stage, id, (read) => read.provisioning.lastError !== null);
      expect(provisioning.lastError).toEqual({
        message: 'The connection to the gateway was closed.',
        hint: WAIT_FOR_IT,
        ...PASSING,
        gatewayCode: null,
      });
      await expectAllWell(stage, id);
    },
  }),
  row('disconnected', {
    cause: 'the gateway dies while one agent is written for and another one waits for its turn',
    show: async (stage) => {
      const gateway = await stage.simulator();
      // Until both wait, so that they are brought in line in one run.
      const error = { code: 'UNAVAILABLE', message: 'not yet', retryable: true, retryAfterMs: 60_000 };
      gateway.faults.add({ method: 'config.patch', kind: 'refuse', times: 2, error });
      const id = await stage.add(gateway);
      const first = (await gatewayWhen(stage, id, ({ provisioning }) => provisioning.phase === 'RETRYING')).mainAgent;
      const { lead: second } = await addBoard(stage.mc.owner, id, { name: 'Second', lead: 'Second' });
      const lastErrorWhen = async (agentId: string, message: string) => {
        const { agent } = await eventually(
          () => stage.mc.owner.run(ReadAgent, { id: agentId }),
          (read) => read.agent?.provisioning.lastError?.message === message,
        );
        return agent?.provisioning.lastError;
      };
      await lastErrorWhen(second?.id ?? '', 'not yet');

      gateway.faults.add({ method: 'agents.files.set', kind: 'stall', times: Number.POSITIVE_INFINITY });
      await checkGateway(stage, id);
      await eventually(
        () => gateway.requests,
        (requests) => requests.some(({ method }) => method === 'agents.files.set'),
      );
      await gateway.kill();
      await lastErrorWhen(first.id, `The connection to ${gateway.url} ended.`);
      const message = `There is no connection to ${gateway.url} now.`;
      expect(await lastErrorWhen(second?.id ?? '', message)).toEqual({
        message,
        hint: WAIT_FOR_IT,
        ...PASSING,
        gatewayCode: null,
      });
      gateway.faults.clear();
      await gateway.start();
      await expectAllWell(stage, id);
      await provisioned(stage.mc.owner, second?.id ?? '');
    },
  }),
  row('timed-out', {
    cause: 'the gateway is connected and has stopped answering',
    show: async (stage) => {
      const gateway = await stage.simulator();
      const id = await stage.add(gateway);
      await expectAllWell(stage, id);
      gateway.faults.add({ method: 'health', kind: 'stall' });
      expect(await checkGateway(stage, id)).toMatchObject({
        __typename: 'GatewayError',
        message: 'The gateway did not answer health within 10 s.',
        hint: WAIT_FOR_IT,
      });
      await expectAllWell(stage, id);
    },
  }),
  row(
    'nothing-listens',
    connecting('nothing listens at the address, until the gateway is started', {
      to: stoppedGateway,
      ...unreachable,
      ...PASSING,
      message: (url) => `Nothing listens at ${url}.`,
      hint: 'Start the gateway, or correct its URL with updateGateway.',
    }),
  ),
  row(
    'unknown-host',
    connecting('the host name does not exist', {
      to: async (stage) => ({ url: 'wss://gateway.invalid:18789', ...(await corrected(stage)) }),
      ...unreachable,
      ...PASSING,
      message: 'The host name of wss://gateway.invalid:18789 is not known.',
      hint: "Correct the host name in the gateway's URL with updateGateway, or repair this server's name resolution.",
    }),
  ),
  row(
    'unreachable',
    connecting('connections are reset', {
      to: async (stage) => ({ url: `ws://${await stage.listener((socket) => socket.resetAndDestroy())}` }),
      ...unreachable,
      ...PASSING,
      message: (url) => `${url} cannot be reached (ECONNRESET).`,
      hint: CHECK_NETWORK,
    }),
    connecting('the gateway wants TLS and the URL is ws://', {
      to: async (stage) => {
        const { url, stateDir } = await stage.tlsGateway();
        const settings = { url, token: SECRET, tlsFingerprint: fingerprint };
        return { url: url.replace('wss:', 'ws:'), stateDir, settings };
      },
      ...unreachable,
      ...PASSING,
      message: (url) => `${url} cannot be reached (ECONNRESET).`,
      hint: CHECK_NETWORK,
    }),
  ),
  row(
    'silent',
    connecting('connections are accepted, and then nothing is said', {
      to: async (stage) => ({ url: `ws://${await stage.listener(() => undefined)}` }),
      ...unreachable,
      ...PASSING,
      message: (url) => `${url} accepts connections but does not answer.`,
      hint: "Check that the URL is the gateway's, and restart the gateway if it is.",
      slow: true,
    }),
    connecting('the gateway hangs in the handshake', {
      to: async (stage) => {
        const gateway = await stage.simulator();
        gateway.faults.add({ method: 'connect', kind: 'stall', times: Number.POSITIVE_INFINITY });
        return gateway;
      },
      ...unreachable,
      ...PASSING,
      message: (url) => `${url} accepts connections but does not answer.`,
      hint: "Check that the URL is the gateway's, and restart the gateway if it is.",
      slow: true,
    }),
  ),
  row(
    'sign-in-proxy',
    ...[302, 401, 403].map((status) =>
      connecting(`a proxy before the gateway wants a sign-in (HTTP ${status})`, {
        to: status === 302 ? answeringUntilCorrected(status) : answeringWith(status),
        ...unreachable,
        ...LASTING,
        gatewayCode: 'UNAVAILABLE',
        message: (url) => `A proxy at ${url} refuses the connection (HTTP ${status}).`,
        hint: PAST_PROXY,
      }),
    ),
  ),
  row(
    'not-a-gateway',
    ...[200, 404, 502].map((status) =>
      connecting(`a web server answers with HTTP ${status}`, {
        to: status === 404 ? answeringUntilCorrected(status) : answeringWith(status),
        ...unreachable,
        ...PASSING,
        gatewayCode: 'UNAVAILABLE',
        message: (url) => `${url} answers with HTTP ${status} in place of a WebSocket.`,
        hint: NO_GATEWAY,
      }),
    ),
  ),
  row('plaintext-refused', {
    cause: 'the address may be public and the URL is ws://, which is refused when it is given',
    show: async (stage) => {
      const url = 'ws://gateway.example.com:18789';
      expect(await stage.fieldsRefused({ url })).toEqual([
        {
          path: 'input.url',
          message: `${url} may be public and is not encrypted, so that the token could be read on the way: use a wss:// URL, a tunnel to localhost, or the gateway's private IP address, .local or .ts.net name.`,
        },
      ]);
      await expectNotTried(stage.connection({ url }), {
        reason: 'plaintext-refused',
        message: `${url} may be public and is not encrypted: the token could be read on the way.`,
        hint: "Use a wss:// URL, a tunnel to localhost, or the gateway's private IP address, .local or .ts.net name.",
      });
    },
  }),
  row('invalid-url', {
    cause: 'a TLS fingerprint is given and the URL is ws://, which is refused when it is given',
    show: async (stage) => {
      const address = { url: 'ws://127.0.0.1:18789', tlsFingerprint: fingerprint };
      expect(await stage.fieldsRefused(address)).toEqual([
        {
          path: 'input.tlsFingerprint',
          message: 'needs a wss:// URL: without TLS there is no certificate to compare it with',
        },
      ]);
      await expectNotTried(stage.connection(address), {
        reason: 'invalid-url',
        message: 'A TLS fingerprint is stored for the gateway, but its URL is not encrypted.',
        hint: 'Use a wss:// URL, or remove tlsFingerprint with updateGateway.',
      });
    },
  }),
  row('invalid-url', {
    cause: 'the fingerprint is none, which is refused when it is given',
    show: async (stage) => {
      const address = { url: 'wss://127.0.0.1:18789', tlsFingerprint: 'no fingerprint' };
      expect(await stage.fieldsRefused(address)).toEqual([
        { path: 'input.tlsFingerprint', message: 'must be a SHA-256 fingerprint: 64 hex digits, colons allowed' },
      ]);
      await expectNotTried(stage.connection(address), {
        reason: 'invalid-url',
        message: 'gateway tls fingerprint must be a SHA-256 fingerprint',
        hint: "Correct the gateway's URL or tlsFingerprint with updateGateway.",
      });
    },
  }),
  row(
    'fingerprint-mismatch',
    connecting('the certificate is another one than was stored', {
      to: async (stage) => {
        const { url, stateDir } = await stage.tlsGateway();
        return { url, stateDir, tlsFingerprint: 'ab'.repeat(32), settings: { tlsFingerprint: fingerprint } };
      },
      ...unreachable,
      ...MISCONFIGURED,
      message: (url) => `The certificate of ${url} is not the one whose fingerprint is stored.`,
      hint: "Compare it with the certificate on the gateway's machine, and only if that was renewed set the new tlsFingerprint with updateGateway.",
    }),
  ),
  row(
    'untrusted-certificate',
    connecting('nobody vouches for the certificate', {
      to: async (stage) => {
        const { url, stateDir } = await stage.tlsGateway();
        return { url, stateDir, settings: { tlsFingerprint: fingerprint } };
      },
      ...unreachable,
      ...MISCONFIGURED,
      message: (url) => `The certificate of ${url} is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT).`,
      hint: "Set tlsFingerprint to the SHA-256 of the gateway's certificate with updateGateway, or give it a certificate that this server trusts.",
    }),
  ),
  row(
    'no-tls',
    connecting('the gateway does not speak TLS and the URL is wss://', {
      to: async (stage) => {
        const { url, stateDir } = await stage.simulator();
        return { url: url.replace('ws:', 'wss:'), stateDir, settings: { url, token: SECRET } };
      },
      ...unreachable,
      ...MISCONFIGURED,
      message: (url) => `${url} does not speak TLS.`,
      hint: 'Use a ws:// URL, or turn on TLS at the gateway.',
    }),
  ),
];

/** Stored gateways cannot be so; this is what would be told if one were. */
async function expectNotTried(
  connection: GatewayConnection,
  told: { reason: FailureReason; message: string; hint: string },
): Promise<void> {
  await expect(connection.ready()).rejects.toMatchObject({ ...told, kind: 'unavailable', retryable: false });
  expect(connection.info).toMatchObject({ state: 'UNREACHABLE', lastError: told.message, nextAttemptAt: null });
}

async function stoppedGateway(stage: Stage): Promise<ToConnect> {
  const gateway = await stage.simulator();
  await gateway.kill();
  return { url: gateway.url, stateDir: gateway.stateDir, repair: () => gateway.start() };
}

function answeringWith(status: number) {
  return async (stage: Stage): Promise<ToConnect> => ({ url: `ws://${await stage.webServer(status)}` });
}

function answeringUntilCorrected(status: number) {
  return async (stage: Stage): Promise<ToConnect> => ({
    ...(await answeringWith(status)(stage)),
    ...(await corrected(stage)),
  });
}

/** Where the gateway is in truth: the address to give with updateGateway. */
async function corrected(stage: Stage): Promise<Omit<ToConnect, 'url'>> {
  const { url, stateDir } = await stage.simulator();
  return { stateDir, settings: { url, token: SECRET } };
}
