import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type Simulator, startSimulator } from '../src/simulator/simulator.ts';
import type { GatewayAddress } from './troubled-gateways.ts';

// Simulated gateways in a process of their own, so that what they take is not counted for the server.

export interface ManyGateways {
  addresses: GatewayAddress[];
  stop(): Promise<void>;
}

export async function startManyGateways(count: number): Promise<ManyGateways> {
  const child = fork(import.meta.filename, { env: { ...process.env, [CHILD]: String(count) } });
  const exited = once(child, 'exit');
  const [addresses] = await Promise.race([
    once(child, 'message'),
    exited.then(([code]) => Promise.reject(new Error(`The gateways' process ended with ${code}.`))),
  ]);
  return {
    addresses: addresses as GatewayAddress[],
    async stop() {
      child.disconnect();
      await exited;
    },
  };
}

const CHILD = 'MISSION_CONTROL_BENCH_MANY_GATEWAYS';

const asked = process.env[CHILD];
if (asked !== undefined) await serve(Number(asked));

async function serve(count: number): Promise<void> {
  const simulators: Simulator[] = [];
  for (let started = 0; started < count; started++) simulators.push(await startSimulator());
  process.on('disconnect', () => {
    Promise.all(simulators.map((simulator) => simulator.stop())).then(() => process.exit(), fail);
  });
  process.send?.(simulators.map(({ url, token, stateDir }) => ({ url, token, stateDir })));
}

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  process.exit(1);
}
