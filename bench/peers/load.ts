import { text } from 'node:stream/consumers';
import autocannon from 'autocannon';
import { quantile } from '../bench.ts';
import { cpuMs } from '../process-usage.ts';

// Asks a server as fast as it answers, over some connections, first to make it warm. What to ask comes on stdin; what was
// measured goes to stdout.

export interface Load {
  url: string;
  headers: Record<string, string>;
  /** Of each connection, headers of its own. */
  callers?: Record<string, string>[];
  /** Each connection begins at another one, and goes round. */
  bodies: string[];
  /** The server's. */
  pid: number;
  connections: number;
  warmUpMs: number;
  ms: number;
}

export interface Loaded {
  perSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  /** Processor time of the server's process per request, in microseconds. */
  cpuUs: number;
}

const { url, headers, bodies, callers, pid, connections, warmUpMs, ms } = JSON.parse(await text(process.stdin)) as Load;
const requests = bodies.map((body) => ({ body }));
let count = 0;
const run = autocannon({
  url,
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  connections,
  duration: 3_600,
  setupClient(client) {
    const number = count++;
    const from = Math.floor((number * requests.length) / connections);
    const own = callers?.[number] ?? {};
    client.setRequests(
      [...requests.slice(from), ...requests.slice(0, from)].map((each) => ({ ...each, headers: own })),
    );
  },
});

let times: number[] = [];
run.on('reqError', (error) => fail(error.message));
run.on('response', (_client, status, _bytes, time) => {
  if (status !== 200) fail(`status ${status}`);
  times.push(time);
});

setTimeout(() => {
  const before = { cpu: cpuMs(pid), at: performance.now() };
  times = [];
  setTimeout(() => {
    const seconds = (performance.now() - before.at) / 1_000;
    const loaded: Loaded = {
      perSecond: Math.round(times.length / seconds),
      p50: quantile(times, 0.5),
      p99: quantile(times, 0.99),
      cpuUs: Math.round(((cpuMs(pid) - before.cpu) * 1_000) / times.length),
    };
    process.stdout.write(JSON.stringify(loaded), () => process.exit(0));
  }, ms);
}, warmUpMs);

function fail(why: string): never {
  process.stderr.write(`${url}: ${why}\n`);
  process.exit(1);
}
