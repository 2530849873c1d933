import { connect } from 'node:net';

/**
 * Sends bytes that no client library would.
 * @param hangsUp whether the caller ends its side with them; else it listens until the server hangs up
 * @returns all that the server says before it hangs up
 */
export function sendBytes(url: string, bytes: string | Buffer, hangsUp = false): Promise<Buffer> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  // It may hang up on what is still being sent.
  socket.on('error', () => undefined);
  if (hangsUp) socket.end(bytes);
  else socket.write(bytes);
  return new Promise((resolve) => socket.once('close', () => resolve(Buffer.concat(chunks))));
}

/** The status line of the answer. */
export async function statusLineOf(answer: Promise<Buffer>): Promise<string> {
  return (await answer).toString('latin1').split('\r\n', 1)[0] ?? '';
}
