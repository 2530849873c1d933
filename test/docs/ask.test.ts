import { createServer, type Server, type ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { ask } from '../../docs/examples/ask.ts';
import { freePort } from '../support/free-port.ts';

type Behaviour = (response: ServerResponse) => void;

const ANSWER = { data: { viewer: { kind: 'OPERATOR' } } };
const answer: Behaviour = (response) => response.end(JSON.stringify(ANSWER));
const reset: Behaviour = (response) => response.socket?.resetAndDestroy();
const halfAnAnswer: Behaviour = (response) => {
  response.writeHead(200, { 'Content-Length': '100' }).write('{"data":');
  setImmediate(() => response.destroy());
};
const status =
  (code: number, headers: Record<string, string> = {}): Behaviour =>
  (response) =>
    response.writeHead(code, headers).end('{"errors":[{"message":"Not now."}]}');

let server: Server;
let asked: string[];
afterEach(() => server.close());

/** A server that does this with one request after another, and from the last one on always the same. */
async function serverThat(...behaviours: Behaviour[]): Promise<string> {
  asked = [];
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (text) => {
      body += text;
    });
    request.on('end', () => {
      const behaviour = behaviours[Math.min(asked.push(body), behaviours.length) - 1];
      behaviour?.(response);
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return `http://127.0.0.1:${port}/graphql`;
}

const request = { query: '{ viewer { kind } }' };

describe('the client of docs/api.md that asks again', () => {
  it('gets the answer whatever came before it', async () => {
    const url = await serverThat(reset, halfAnAnswer, status(503, { 'Retry-After': '1' }), status(502), answer);
    const before = performance.now();
    expect(await ask(url, 'token', request)).toEqual(ANSWER);
    expect(performance.now() - before).toBeGreaterThan(1_000);
    expect(asked).toEqual(Array(5).fill(JSON.stringify(request)));
  });

  it('finds a server that is not there yet', async () => {
    const url = await serverThat(answer);
    const { port } = new URL(url);
    await new Promise((resolve) => server.close(resolve));
    setTimeout(() => server.listen(Number(port), '127.0.0.1'), 500);
    expect(await ask(url, 'token', request)).toEqual(ANSWER);
  });

  it.each([400, 401, 413, 500])('takes %i for the answer', async (code) => {
    const url = await serverThat(status(code), answer);
    expect(await ask(url, 'token', request)).toEqual({ errors: [{ message: 'Not now.' }] });
    expect(asked).toHaveLength(1);
  });

  it('gives up when its patience is at an end', async () => {
    const url = await serverThat(status(503));
    await expect(ask(url, 'token', request, { patienceMs: 500 })).rejects.toThrow('503');
    expect(asked.length).toBeGreaterThan(1);
  });

  it.each([
    ['a broken connection', reset],
    ['503', status(503)],
  ])('does not send again after %s what must not be done twice', async (_what, behaviour) => {
    const url = await serverThat(behaviour, answer);
    await expect(ask(url, 'token', request, { isRepeatable: false })).rejects.toThrow();
    expect(asked).toHaveLength(1);
  });

  it.each([429, 503])('waits as long as it is told to with %i, and sends anything again', async (code) => {
    const url = await serverThat(status(code, { 'Retry-After': '1' }), answer);
    const before = performance.now();
    expect(await ask(url, 'token', request, { isRepeatable: false })).toEqual(ANSWER);
    expect(performance.now() - before).toBeGreaterThan(990);
  });
});
