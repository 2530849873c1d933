import { once } from 'node:events';
import { createServer } from 'node:net';

const FIRST = 20_000;
const LAST = 29_999;

/**
 * A port that is free, outside of the range from which the system gives connections theirs: what ends and starts again
 * on it finds it free again.
 */
export async function fixedPort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const outcome = once(server, 'listening').then(
    () => true,
    () => false,
  );
  server.listen(port, '127.0.0.1');
  const free = await outcome;
  if (free) {
    server.close();
    await once(server, 'close');
  }
  return free;
}
