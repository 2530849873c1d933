import { type Command, InvalidArgumentError } from 'commander';
import { type Config, readConfig } from '../config.ts';
import { checkGateway, type GatewayCheck } from '../gateway/check.ts';
import type { DeviceIdentity } from '../gateway/device.ts';
import { knownKeysOf } from '../secret-keys.ts';
import { withSession } from './database.ts';
import { FAILED, JSON_FLAG, type OutputOptions, print, sentenceOf } from './output.ts';
import { readDevice } from './stored-gateways.ts';

interface CheckOptions extends OutputOptions {
  token?: string;
  tlsFingerprint?: string;
  allowInsecureTls?: boolean;
  timeout: number;
}

/** The environment variable that has the gateway's token, so that it need not be in the shell's history. */
export const GATEWAY_TOKEN = 'OPENCLAW_GATEWAY_TOKEN';

export function addGatewayCheck(gateway: Command): void {
  gateway
    .command('check')
    .summary('say step by step what works of a gateway')
    .description(
      'Connects to an OpenClaw gateway as the server does, and says step by step what works and what to do. It signs in as this ' +
        'installation’s device when the database can be opened, so that a gateway on another machine can be told to approve it.',
    )
    .argument('<url>', 'the gateway, ws:// or wss://')
    .option('--token <token>', `its token (default: the environment variable ${GATEWAY_TOKEN})`)
    .option('--tls-fingerprint <sha256>', 'the SHA-256 of its certificate, when no authority has signed that')
    .option('--allow-insecure-tls', 'accept any certificate')
    .option('--timeout <seconds>', 'for each step', secondsOf, 10)
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      `\nExamples:\n  ${GATEWAY_TOKEN}=… mission-control gateway check ws://127.0.0.1:18789\n  mission-control gateway check wss://gateway.example.com --json`,
    )
    .action(check);
}

async function check(url: string, options: CheckOptions): Promise<void> {
  const { device, note } = await deviceOfSettings(readConfig(process.env));
  const checks = await checkGateway(
    {
      id: 'check',
      url,
      token: options.token ?? process.env[GATEWAY_TOKEN] ?? null,
      tlsFingerprint: options.tlsFingerprint ?? null,
      allowInsecureTls: options.allowInsecureTls ?? false,
      device,
      deviceToken: null,
    },
    options.timeout * 1_000,
  );
  const ok = checks.every(({ outcome }) => outcome !== 'failed');
  const value = { ok, url, device: device?.deviceId ?? null, checks };
  print(options, value, [...checks.map(lineOf), `   ${note}`].join('\n'));
  if (!ok) process.exitCode = FAILED;
}

const SIGNS = { ok: 'ok  ', warning: 'hm  ', failed: 'FAIL' };

/** One line for a step, and what to do about it in another. */
function lineOf({ name, outcome, message, hint }: GatewayCheck): string {
  const line = `${SIGNS[outcome]} ${name.padEnd(10)} ${message}`;
  return hint === null ? line : `${line}\n     → ${hint}`;
}

/** Who this installation is to gateways, and a sentence on it. A database that cannot be opened is no error here. */
async function deviceOfSettings(config: Config): Promise<{ device: DeviceIdentity | null; note: string }> {
  const without = 'Signed in with the token alone, which gives no rights from another machine';
  try {
    const keys = knownKeysOf(config);
    const device = keys && (await withSession(config, (session) => readDevice(session, keys)));
    return device
      ? { device, note: `Signed in as this installation’s device ${device.deviceId}.` }
      : { device: null, note: `${without}: the server has not been started yet.` };
  } catch (error) {
    return { device: null, note: `${without}: ${sentenceOf(error)}` };
  }
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (seconds > 0 && seconds <= 600) return seconds;
  throw new InvalidArgumentError('Give a number of seconds from 1 to 600.');
}
