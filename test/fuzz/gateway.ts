import { startSimulator } from '../../src/simulator/simulator.ts';

// A gateway in a process of its own, as it keeps all that it is asked: says on stdout where it is. It ends with its stdin.

// The fleet is made anew again and again, which no gateway would bear.
const { url, token, stateDir, stop } = await startSimulator({ patchesPerMinute: 1_000_000 });
process.stdout.write(`${JSON.stringify({ url, token, stateDir })}\n`);
process.stdin.resume().once('end', async () => {
  await stop();
  process.exit(0);
});
