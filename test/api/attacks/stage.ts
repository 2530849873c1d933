import { once } from 'node:events';
import type { MissionControl } from '../../support/mission-control.ts';
import { sendBytes, statusLineOf } from '../../support/raw-bytes.ts';
import { type RawRequest, rawRequest } from '../../support/raw-request.ts';
import { RawSocket } from '../../support/raw-socket.ts';

/** What attacks are tried on: a server with two organizations. */
export interface Stage {
  mc: MissionControl;
  tokens: Record<'owner' | 'viewer' | 'worker' | 'stranger' | 'expired', string>;
  /** Objects of the first organization. */
  ids: Record<'gateway' | 'board' | 'otherBoard' | 'lead' | 'worker' | 'task', string>;
}

/** What is tried, and the whole answer that it gets, in a line. */
export type Attack = [name: string, attempt: (stage: Stage) => Promise<string>, answer: string];

interface Told {
  message?: string;
  path?: (string | number)[];
  extensions?: Record<string, unknown>;
}

/** Of each error its code; without one, what GraphQL says of the document, by its first words. */
function toldOf(errors: readonly Told[]): string {
  const told = errors.map(({ message = '', path, extensions }) =>
    [extensions?.code ?? `“${message.split(/[."]/)[0]?.slice(0, 40)}”`, path && `at ${path.join('.')}`]
      .filter(Boolean)
      .join(' '),
  );
  return [...new Set(told)].slice(0, 3).join(', ');
}

/** Of each result its type, and what is wrong with the input; other data by itself. */
function dataOf(data: unknown): string {
  if (typeof data !== 'object' || data === null) return JSON.stringify(data);
  return Object.values(data)
    .map((value: { __typename?: string; fields?: { path: string }[] } | null) => {
      if (!value?.__typename) return JSON.stringify(value);
      return [value.__typename, ...(value.fields ?? []).map(({ path }) => path)].join(' ');
    })
    .join(', ');
}

function lineOf({ data, errors }: { data?: unknown; errors?: readonly Told[] } = {}): string {
  return [errors && toldOf(errors), data !== undefined && data !== null && dataOf(data)].filter(Boolean).join('; ');
}

type Who = keyof Stage['tokens'] | null;

/** Over HTTP: the status, then what is told. */
export async function ask(stage: Stage, request: RawRequest & { as?: Who }): Promise<string> {
  const { as = 'owner', ...rest } = request;
  const answer = await rawRequest(stage.mc.url, { token: as && stage.tokens[as], ...rest });
  return `${answer.status} ${answer.body ? lineOf(answer.body) : answer.text.slice(0, 40)}`.trim();
}

export const query =
  (text: string, variables?: unknown, as: Who = 'owner') =>
  (stage: Stage) =>
    ask(stage, { as, body: { query: text, variables } });

/** A mutation with one input. */
export const mutate =
  (name: string, input: (ids: Stage['ids']) => object, as: Who = 'owner') =>
  (stage: Stage) => {
    const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
    const text = `mutation M($input: ${type}!) { ${name}(input: $input) { __typename ... on ValidationError { fields { path } } } }`;
    return ask(stage, { as, body: { query: text, variables: { input: input(stage.ids) } } });
  };

/** A mutation of one object. */
export const mutateById = (name: string, id: (ids: Stage['ids']) => string, as: Who) => (stage: Stage) => {
  const text = `mutation M($id: ID!) { ${name}(id: $id) { __typename } }`;
  return ask(stage, { as, body: { query: text, variables: { id: id(stage.ids) } } });
};

/** Over WebSocket: the close code, or the answer to the operation 1. */
export async function say(
  stage: Stage,
  {
    as = 'owner',
    messages,
    ...options
  }: { as?: Who; messages: (object | string | Buffer)[]; protocol?: string | string[] },
): Promise<string> {
  const opened = new RawSocket(stage.mc.url, options);
  const closed = opened.closed.then(({ code }) => `closed ${code}`);
  await Promise.race([once(opened.socket, 'open').catch(() => undefined), closed]);
  if (as) {
    opened.send({ type: 'connection_init', payload: { Authorization: `Bearer ${stage.tokens[as]}` } });
    await opened.acknowledged();
  }
  for (const message of messages) opened.send(message);
  const answered = opened
    .first(({ id }) => id === '1')
    .then(({ payload }) => {
      const told = Array.isArray(payload) ? { errors: payload as Told[] } : (payload as object);
      return `answered ${lineOf(told)}`;
    });
  const came = await Promise.race([closed, answered.catch(() => closed)]);
  await opened.close();
  return came;
}

/** Over TCP, what no client library would send: the status line. */
export async function speak(stage: Stage, bytes: string | Buffer): Promise<string> {
  return statusLineOf(sendBytes(stage.mc.url, bytes, true));
}

/** The same for a request that is whole: the caller listens until the server hangs up. */
export async function request(stage: Stage, bytes: Buffer): Promise<string> {
  return statusLineOf(sendBytes(stage.mc.url, bytes));
}

/** A WebSocket’s frame as it is: the close code. */
export async function frame(stage: Stage, bytes: number[]): Promise<string> {
  const upgrade =
    'GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
    `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n`;
  const answer = await sendBytes(stage.mc.url, Buffer.concat([Buffer.from(upgrade), Buffer.from(bytes)]), true);
  const [opcode, , ...code] = answer.subarray(answer.indexOf('\r\n\r\n') + 4);
  return opcode === 0x88 ? `closed ${Buffer.from(code).readUInt16BE()}` : `opcode ${opcode}`;
}
