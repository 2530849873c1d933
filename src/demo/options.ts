import { parseArgs } from 'node:util';

export interface DemoOptions {
  /** The user's own gateway; null for a simulated one. */
  gateway: { url: string; token: string | null; workspaceRoot: string } | null;
  /** After how many seconds it ends by itself; null for never. */
  seconds: number | null;
  /** Lines instead of a table. */
  plain: boolean;
  help: boolean;
}

/** Flags that cannot be used. The message is one line. */
export class UsageError extends Error {
  override name = 'UsageError';
}

export const USAGE = `Usage: npm run demo [-- FLAGS]

Starts a Mission Control of its own and a simulated gateway, creates a board with a
lead and two workers, and shows how they are provisioned and report in, until ctrl-C.
Everything that it makes is removed at the end.

  --gateway URL           use your own OpenClaw gateway (ws:// or wss://) instead of the
                          simulated one; its agents call its model
  --gateway-token TOKEN   that gateway's token
  --workspace-root DIR    the folder on the gateway's machine for the agents' workspaces,
                          for example ~/.openclaw
  --seconds N             end after N seconds
  --plain                 lines instead of a table; so it is also when stdout is no terminal
  --help                  show this

HOST and PORT (default: a free one) say where the server listens. When the gateway is on
another machine, HOST must be reachable from there, and BASE_URL is the address to use.
`;

/** @throws UsageError */
export function readOptions(args: string[]): DemoOptions {
  const { values } = parse(args);
  const gateway = values.gateway?.trim() || null;
  const workspaceRoot = values['workspace-root']?.trim() || null;
  if (gateway === null) {
    for (const flag of ['gateway-token', 'workspace-root'] as const)
      if (values[flag] !== undefined) throw new UsageError(`--${flag} goes with --gateway URL.`);
  } else if (workspaceRoot === null) {
    throw new UsageError('--gateway needs --workspace-root DIR, for example --workspace-root ~/.openclaw.');
  }
  return {
    gateway:
      gateway === null || workspaceRoot === null
        ? null
        : { url: gateway, token: values['gateway-token'] ?? null, workspaceRoot },
    seconds: values.seconds === undefined ? null : secondsOf(values.seconds),
    plain: values.plain ?? false,
    help: values.help ?? false,
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        gateway: { type: 'string' },
        'gateway-token': { type: 'string' },
        'workspace-root': { type: 'string' },
        seconds: { type: 'string' },
        plain: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    // parseArgs goes on with advice about positional arguments, and there are none here.
    const [problem] = (error instanceof Error ? error.message : String(error)).split(/(?<=')\. |\. |\n/);
    throw new UsageError(`${problem}.`);
  }
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 86_400)) throw new UsageError('--seconds must be a number from 0 to 86400.');
  return seconds;
}
