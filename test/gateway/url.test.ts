import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { GatewayConnection } from '../../src/gateway/connection.ts';
import { plaintextProblem } from '../../src/gateway/url.ts';
import { ScriptedGateway, silentLog } from './scripted-gateway.ts';

beforeEach(() => vi.stubEnv('OPENCLAW_ALLOW_INSECURE_PRIVATE_WS', undefined));
afterEach(() => vi.unstubAllEnvs());

const ACCEPTED = [
  'wss://gateway.example.com',
  'wss://203.0.113.7:443/path',
  'https://gateway.example.com',
  'ws://localhost:18789',
  'ws://LOCALHOST',
  'ws://localhost.:18789',
  'ws://127.0.0.1:18789',
  'ws://127.9.9.9',
  'ws://[::1]:18789',
  'ws://[::ffff:127.0.0.1]',
  'http://127.0.0.1:18789',
  'ws://10.0.0.1',
  'ws://10.255.255.255:18789',
  'ws://172.16.0.1',
  'ws://172.31.255.254',
  'ws://192.168.1.10:18789',
  'ws://[::ffff:192.168.1.10]',
  'ws://169.254.1.1',
  'ws://100.64.0.1',
  'ws://100.127.255.254:18789',
  'ws://[fe80::1]',
  'ws://[fc00::1]:18789',
  'ws://[fd12:3456::1]',
  'ws://[fec0::1]',
  'ws://mac-mini.local:18789',
  'ws://Mac-Mini.LOCAL.',
  'ws://gateway.tail1234.ts.net',
];

const REFUSED = [
  'ws://gateway.example.com',
  'ws://gateway.example.com:18789/path?token=hidden-token',
  'http://gateway.example.com',
  'ws://localhost.example.com',
  'ws://gateway.local.example.com',
  'ws://ts.net.example.com',
  'ws://gateway:18789',
  'ws://host.docker.internal:18789',
  'ws://gateway.internal',
  'ws://gateway.lan',
  'ws://gateway.localhost',
  'ws://203.0.113.7:18789',
  'ws://8.8.8.8',
  'ws://0.0.0.0:18789',
  'ws://172.15.0.1',
  'ws://172.32.0.1',
  'ws://100.63.0.1',
  'ws://100.128.0.1',
  'ws://192.169.1.1',
  'ws://[2001:db8::1]:18789',
  'ws://[2606:4700::1111]',
  'ws://[::]',
  'ws://[::ffff:8.8.8.8]',
];

const NO_URL = ['', 'gateway', 'ftp://127.0.0.1', 'ws://', 'localhost:18789'];

/** Why a connection to a URL fails. */
async function reasonOf(url: string): Promise<string | null> {
  const connection = new GatewayConnection({
    target: {
      id: 'g',
      url,
      token: 'secret-token',
      tlsFingerprint: null,
      allowInsecureTls: false,
      device: null,
      deviceToken: null,
    },
    log: silentLog,
    onInfo: () => {},
    onEvent: () => {},
  });
  const reason = await connection.ready().then(
    () => null,
    (error: { reason: string }) => error.reason,
  );
  await connection.close();
  return reason;
}

describe('a URL that the client would connect to', () => {
  test.each(ACCEPTED)('%s has no problem', (url) => {
    expect(plaintextProblem(url)).toBeNull();
  });
});

describe('a URL to an address that may be public, without TLS', () => {
  test.each(REFUSED)('%s is refused with what to do', async (url) => {
    const problem = plaintextProblem(url);
    expect(problem).toMatch(/^(ws|http):\/\/\S+ may be public and is not encrypted, .*: use a wss:\/\/ URL, .*\.$/);
    expect(problem).not.toContain('hidden-token');
    expect(await reasonOf(url)).toBe('plaintext-refused');
  });
});

test.each(NO_URL)('what is no URL of a gateway is refused: "%s"', (url) => {
  expect(plaintextProblem(url)).toBe('The URL of a gateway begins with wss:// or ws://.');
});

test('asking opens no connection', async () => {
  const gateway = await new ScriptedGateway().start();
  expect(plaintextProblem(gateway.url)).toBeNull();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(gateway.connects).toBe(0);
  expect(await reasonOf(gateway.url)).toBeNull();
  await gateway.stop();
});

test('the client’s own way out for trusted networks is known', () => {
  vi.stubEnv('OPENCLAW_ALLOW_INSECURE_PRIVATE_WS', '1');
  expect(plaintextProblem('ws://gateway:18789')).toBeNull();
  expect(plaintextProblem('ws://203.0.113.7')).not.toBeNull();
});
