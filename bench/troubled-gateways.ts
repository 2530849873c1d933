import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type Simulator, startSimulator } from '../src/simulator/simulator.ts';

// Gateways that are in trouble on demand, in a process of their own: what they do takes no time of whoever measures.

/** How a gateway is once there is trouble. */
export const STATES = ['up', 'control', 'down', 'silent', 'stalled'] as const;
/** `control`: up as well. `down`: nothing listens. `silent`: takes connections and says nothing. `stalled`: is connected and answers nothing. */
export type State = (typeof STATES)[number];

export interface GatewayAddress {
  url: string;
  token: string;
  stateDir: string;
}

export interface TroubledGateways {
  /** All of them are up. */
  addresses: Record<State, GatewayAddress>;
  /** Each becomes as its state says, and stays so. */
  makeTrouble(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts one gateway for each state. */
export async function startTroubledGateways(): Promise<TroubledGateways> {
  const child = fork(import.meta.filename, { env: { ...process.env, [CHILD]: '1' } });
  const exited = once(child, 'exit');
  const told = async () => {
    const [message] = await Promise.race([
      once(child, 'message'),
      exited.then(([code]) => Promise.reject(new Error(`The gateways' process ended with ${code}.`))),
    ]);
    return message;
  };
  // What `serve` sends first.
  const addresses = (await told()) as Record<State, GatewayAddress>;
  return {
    addresses,
    async makeTrouble() {
      child.send('trouble');
      await told();
    },
    async stop() {
      child.disconnect();
      await exited;
    },
  };
}

const CHILD = 'MISSION_CONTROL_BENCH_GATEWAYS';

if (process.env[CHILD]) await serve();

async function serve(): Promise<void> {
  const simulators: Record<State, Simulator> = {
    up: await startSimulator(),
    control: await startSimulator(),
    down: await startSimulator(),
    silent: await startSimulator(),
    stalled: await startSimulator(),
  };
  const addresses = STATES.map((state) => {
    const { url, token, stateDir } = simulators[state];
    return [state, { url, token, stateDir }];
  });
  process.on('message', () => {
    makeTrouble(simulators).then(() => process.send?.('done'), fail);
  });
  process.on('disconnect', () => {
    Promise.all(STATES.map((state) => simulators[state].stop())).then(() => process.exit(), fail);
  });
  process.send?.(Object.fromEntries(addresses));
}

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  process.exit(1);
}

async function makeTrouble({ down, silent, stalled }: Record<State, Simulator>): Promise<void> {
  await down.kill();
  await silent.kill();
  await listenInSilence(silent.port);
  stalled.faults.add({ method: '*', kind: 'stall', times: Number.POSITIVE_INFINITY });
}

async function listenInSilence(port: number): Promise<void> {
  // Peers give up after their own time.
  const server = createServer((socket) => socket.on('error', () => socket.destroy()));
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
}
