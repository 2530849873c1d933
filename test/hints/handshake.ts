import { expect } from 'vitest';
import { refusedConnect } from '../gateway-contract/client.ts';
import { ReadAgent } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addBoard, provisioned } from '../support/fleet.ts';
import { entriesOf } from '../support/workspace.ts';
import { connecting, expectAllWell, expectToldEverywhere, type ToConnect, updateGateway } from './connecting.ts';
import { faulty, refusing, refusingUntilRepaired } from './faulty.ts';
import { gatewayWhen } from './reading.ts';
import { LASTING, PASSING, PASSING_REFUSAL, type Row, row, WAIT_FOR_IT } from './row.ts';
import type { Stage } from './stage.ts';

const SET_TOKEN =
  "Set the gateway's token with updateGateway; on its machine it is gateway.auth.token in openclaw.json.";
const MODE_TOKEN = "Set gateway.auth.mode to token on the gateway's machine: this server signs in with a token.";
const UPDATE_OPENCLAW =
  "Update OpenClaw on the gateway's machine to 2026.5.9 or later, the first that speaks protocol 4.";
const VERSIONS_DIFFER = 'Update OpenClaw on the gateway, or this server: their versions do not understand each other.';

/** Left in peace until somebody has changed something. */
const unauthorized = { state: 'UNAUTHORIZED', triesAgain: false, ...LASTING } as const;
const incompatible = { state: 'INCOMPATIBLE', triesAgain: true, ...LASTING } as const;

/** An answer to a handshake as OpenClaw 2026.9.6 words it (its source: message-handler.mjs). */
const refusal = (code: string, message: string, details: Record<string, unknown> = {}) => ({
  code: 'INVALID_REQUEST',
  message,
  details: { code, ...details },
  retryable: false,
});

/** In the order of src/gateway/failures/handshake.ts. */
export const HANDSHAKE: readonly Row[] = [
  row(
    'auth-rate-limited',
    connecting('ten wrong tokens came from this address, and now comes the right one', {
      to: lockedOut,
      state: 'UNAUTHORIZED',
      triesAgain: true,
      ...PASSING_REFUSAL,
      gatewayCode: 'AUTH_RATE_LIMITED',
      message: 'The gateway has seen too many wrong tokens from this address.',
      hint: 'Make sure that the stored token is right, else set it with updateGateway; the gateway refuses every token for some minutes now.',
    }),
  ),
  row('token-refused', {
    cause: 'the token is wrong: the gateway is left in peace until there is another one',
    show: async (stage) => {
      const { url, token, stateDir, requests } = await stage.simulator({ token: 'the right token' });
      const id = await stage.add({ url, stateDir });
      const failure = {
        ...unauthorized,
        gatewayCode: 'AUTH_TOKEN_MISMATCH',
        message: 'The gateway refuses the token.',
        hint: SET_TOKEN,
      };
      await expectToldEverywhere(stage, id, url, failure);
      const connects = () => requests.filter(({ method }) => method === 'connect').length;
      const before = connects();
      // What is asked for meanwhile is told the same at once, without asking the gateway.
      const { lead } = await addBoard(stage.mc.owner, id, { name: 'Wrong token', lead: 'Lena' });
      const { agent } = await eventually(
        () => stage.mc.owner.run(ReadAgent, { id: lead?.id ?? '' }),
        (read) => read.agent?.provisioning.phase === 'FAILED',
      );
      expect(agent).toMatchObject({
        status: 'PROVISIONING',
        provisioning: { attempts: 1, nextAttemptAt: null, lastError: { message: failure.message, hint: SET_TOKEN } },
      });
      expect(connects()).toBe(before);
      await updateGateway(stage, { id, token });
      await expectAllWell(stage, id);
      await provisioned(stage.mc.owner, lead?.id ?? '');
    },
  }),
  row(
    'token-missing',
    connecting('no token is stored', {
      to: async (stage) => {
        const { url, token, stateDir } = await stage.simulator();
        return { url, stateDir, token: null, settings: { token } };
      },
      ...unauthorized,
      gatewayCode: 'AUTH_TOKEN_MISSING',
      message: 'The gateway wants a token, and none is stored.',
      hint: SET_TOKEN,
    }),
  ),
  row(
    'token-missing',
    connecting('no token is stored, and this server has no device', {
      to: refusing('connect', {
        ...refusal('DEVICE_IDENTITY_REQUIRED', 'device identity required'),
        code: 'NOT_PAIRED',
      }),
      ...unauthorized,
      gatewayCode: 'DEVICE_IDENTITY_REQUIRED',
      message: 'The gateway wants a token or a paired device, and it was given neither.',
      hint: SET_TOKEN,
    }),
  ),
  row(
    'token-not-configured',
    connecting('the gateway has no token in its configuration', {
      to: refusingUntilRepaired(
        'connect',
        refusal(
          'AUTH_TOKEN_NOT_CONFIGURED',
          'unauthorized: gateway token not configured on gateway (set gateway.auth.token)',
        ),
      ),
      ...unauthorized,
      gatewayCode: 'AUTH_TOKEN_NOT_CONFIGURED',
      message: 'unauthorized: gateway token not configured on gateway (set gateway.auth.token)',
      hint: "Set gateway.auth.token in openclaw.json on the gateway's machine, then the same token with updateGateway.",
    }),
  ),
  row(
    'password-wanted',
    connecting('the gateway wants a password', {
      to: refusing(
        'connect',
        refusal('AUTH_PASSWORD_MISSING', 'unauthorized: gateway password missing (provide gateway auth password)'),
      ),
      ...unauthorized,
      gatewayCode: 'AUTH_PASSWORD_MISSING',
      message: 'unauthorized: gateway password missing (provide gateway auth password)',
      hint: MODE_TOKEN,
    }),
  ),
  row(
    'pairing-required',
    {
      cause: "this server's device waits to be approved, and then is",
      show: async (stage) => {
        const gateway = await stage.simulator({ remote: true });
        const id = await stage.add(gateway);
        await gatewayWhen(stage, id, ({ connection }) => connection.state === 'PAIRING_REQUIRED');
        await expectToldEverywhere(stage, id, gateway.url, waitsForApproval(gateway.pendingDevices()[0]?.requestId));
        expect(entriesOf(gateway)).toEqual([]);
        gateway.approveDevice();
        await expectAllWell(stage, id);
      },
    },
    connecting("this server's device asks for more rights than it has", {
      to: refusing('connect', {
        ...refusal('PAIRING_REQUIRED', 'scope upgrade pending approval (requestId: req-2)', {
          reason: 'scope-upgrade',
          requestId: 'req-2',
        }),
        code: 'NOT_PAIRED',
      }),
      ...waitsForApproval('req-2'),
    }),
  ),
  row(
    'clock-skew',
    connecting("this server's clock differs from the gateway's", {
      to: refusing('connect', refusal('DEVICE_AUTH_SIGNATURE_EXPIRED', 'device signature expired')),
      ...unauthorized,
      gatewayCode: 'DEVICE_AUTH_SIGNATURE_EXPIRED',
      message: 'device signature expired',
      hint: "Set the clocks of this server and of the gateway's machine: they differ too much.",
    }),
  ),
  row(
    'device-token-refused',
    ...(
      [
        ['AUTH_DEVICE_TOKEN_MISMATCH', 'unauthorized: device token mismatch (rotate/reissue device token)'],
        ['AUTH_SCOPE_MISMATCH', 'unauthorized: device token scope mismatch (re-pair or approve scope upgrade)'],
      ] as const
    ).map(([code, message]) =>
      connecting(`the token of this server's device is refused, and the shared one for it (${code})`, {
        to: refusing('connect', refusal(code, message)),
        ...unauthorized,
        gatewayCode: code,
        message: "The gateway refuses the token that it gave to this server's device.",
        hint: SET_TOKEN,
      }),
    ),
  ),
  row(
    'device-refused',
    connecting("the signature of this server's device is refused", {
      to: refusing('connect', refusal('DEVICE_AUTH_SIGNATURE_INVALID', 'device signature invalid')),
      ...unauthorized,
      gatewayCode: 'DEVICE_AUTH_SIGNATURE_INVALID',
      message: "The gateway does not accept how this server's device signs in: device signature invalid.",
      hint: VERSIONS_DIFFER,
    }),
  ),
  row(
    'protocol-mismatch',
    connecting('the gateway is newer than this server', {
      to: refusing(
        'connect',
        refusal('PROTOCOL_MISMATCH', 'protocol mismatch', {
          clientMinProtocol: 3,
          clientMaxProtocol: 4,
          expectedProtocol: 5,
        }),
      ),
      ...incompatible,
      gatewayCode: 'PROTOCOL_MISMATCH',
      message: 'The gateway speaks protocol 5; this server speaks protocol 4.',
      hint: "Update this server: it does not know the gateway's protocol yet.",
    }),
    connecting('the gateway is so old that it does not say hello', {
      to: refusing('connect', { ...refusal('', 'protocol mismatch'), details: { expectedProtocol: 2 } }),
      ...incompatible,
      gatewayCode: 'INVALID_REQUEST',
      message: 'The gateway speaks protocol 2; this server speaks protocol 4.',
      hint: UPDATE_OPENCLAW,
    }),
  ),
  row(
    'protocol-mismatch',
    connecting('the gateway does not understand the handshake', {
      to: refusing('connect', {
        code: 'INVALID_REQUEST',
        message: 'invalid connect params: at /client/id: must be equal to one of the allowed values',
      }),
      ...incompatible,
      gatewayCode: 'INVALID_REQUEST',
      message: 'invalid connect params: at /client/id: must be equal to one of the allowed values',
      hint: VERSIONS_DIFFER,
    }),
  ),
  row(
    'sign-in-refused',
    connecting('the gateway wants to be reached through Tailscale', {
      to: refusing(
        'connect',
        refusal(
          'AUTH_TAILSCALE_IDENTITY_MISSING',
          'unauthorized: tailscale identity missing (use Tailscale Serve auth or gateway token/password)',
        ),
      ),
      ...unauthorized,
      gatewayCode: 'AUTH_TAILSCALE_IDENTITY_MISSING',
      message: 'unauthorized: tailscale identity missing (use Tailscale Serve auth or gateway token/password)',
      hint: "Set gateway.auth.mode to token on the gateway's machine, and its token with updateGateway.",
    }),
  ),
  row(
    'disconnected',
    connecting('the gateway breaks the connection in the handshake', {
      to: faulty({ method: 'connect', kind: 'drop' }),
      state: 'UNREACHABLE',
      triesAgain: true,
      ...PASSING,
      message: (url) => `The connection to ${url} ended.`,
      hint: WAIT_FOR_IT,
    }),
  ),
];

function waitsForApproval(requestId: string | undefined) {
  return {
    state: 'PAIRING_REQUIRED',
    triesAgain: true,
    ...LASTING,
    gatewayCode: 'PAIRING_REQUIRED',
    message: "The gateway waits for this server's device to be approved.",
    hint: `On the gateway's machine run: openclaw devices approve ${requestId}`,
  } as const;
}

/** A gateway that takes no token from this address for some minutes. */
async function lockedOut(stage: Stage): Promise<ToConnect> {
  const { url, stateDir } = await stage.simulator({ remote: true });
  for (let tries = 0; tries < 10; tries += 1) await refusedConnect(url, { token: 'wrong' });
  return { url, stateDir };
}
