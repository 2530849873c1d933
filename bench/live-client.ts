import { request } from 'node:http';
import WebSocket from 'ws';

// Many subscribers in one process: node live-client.ts URL TOKEN ws|sse|stalled COUNT QUERY VARIABLES. It says "ready" when all
// of them follow, then a line for each event that all of them have: when the last one got it, in milliseconds since 1970.

const [url = '', token = '', way = 'ws', count = '1', query = '', variables = '{}'] = process.argv.slice(2);
const subscribers = Number(count);
const body = { query, variables: JSON.parse(variables) };
/** Subscribers that are connected to at the same time. */
const AT_ONCE = 200;

/** How many have got the event of this number. */
const got: number[] = [];

function receive(index: number): void {
  const sofar = (got[index] ?? 0) + 1;
  got[index] = sofar;
  if (sofar === subscribers) process.stdout.write(`${performance.timeOrigin + performance.now()}\n`);
}

const sockets: WebSocket[] = [];

function overSocket(): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  sockets.push(socket);
  let index = 0;
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('open', () =>
      socket.send(JSON.stringify({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } })),
    );
    socket.on('message', (data: Buffer) => {
      // What a client reads of a message costs the same for all contenders; here it is as little as can be.
      const text = data.toString('latin1');
      if (text.includes('"connection_ack"')) {
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: body }));
        // Messages are taken in order, so this is answered when the subscription is there.
        socket.send('{"type":"ping"}');
      } else if (text.includes('"pong"')) resolve();
      else if (text.includes('"next"')) receive(index++);
      else if (text.includes('"error"')) reject(new Error(text));
    });
  });
}

function overStream(): Promise<void> {
  let index = 0;
  return new Promise((resolve, reject) => {
    const headers = {
      'Content-Type': 'application/json',
      Accept: 'text/event-stream',
      Authorization: `Bearer ${token}`,
    };
    const sent = request(`${url}/graphql`, { method: 'POST', headers }, (response) => {
      let rest = '';
      response.setEncoding('latin1').on('data', (text: string) => {
        resolve();
        const frames = (rest + text).split('\n\n');
        rest = frames.pop() ?? '';
        for (const frame of frames) if (frame.includes('event: next')) receive(index++);
      });
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
}

for (let first = 0; first < subscribers; first += AT_ONCE) {
  const group = Array.from({ length: Math.min(AT_ONCE, subscribers - first) }, way === 'sse' ? overStream : overSocket);
  await Promise.all(group);
}
// From now on they read nothing of what comes.
if (way === 'stalled') for (const socket of sockets) socket.pause();
process.stdout.write('ready\n');
