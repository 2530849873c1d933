import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One message as the agent runtime sends it to an OpenAI-compatible model. */
export interface ModelMessage {
  role: string;
  content: unknown;
  tool_call_id?: string;
  tool_calls?: unknown[];
}

export interface ModelRequest {
  at: number;
  model: string;
  stream: boolean;
  messages: ModelMessage[];
  /** Names of the tools offered, in the order offered. */
  toolNames: string[];
  /** The whole body, for looking at what is not picked out above. */
  body: Record<string, unknown>;
}

export interface ModelReply {
  text?: string;
  toolCalls?: { name: string; arguments: Record<string, unknown> }[];
  /** Wait before answering, in milliseconds; it is cut short when the client goes away. */
  delayMs?: number;
  /** Answer with this HTTP status instead. */
  status?: number;
}

export type ReplyScript = (request: ModelRequest) => ModelReply | string | Promise<ModelReply | string>;

export interface FakeModel {
  /** Base address as a provider wants it, ending in `/v1`. */
  url: string;
  requests: ModelRequest[];
  /** Replaces the script; the default answers "OK" to everything. */
  reply(script: ReplyScript): void;
  /** The first request, made before or after the call, that matches. Throws after `timeoutMs` (default 30 s). */
  waitFor(matches: (request: ModelRequest) => boolean, timeoutMs?: number): Promise<ModelRequest>;
  stop(): Promise<void>;
}

/** All text of a request as one string: what the model could see, without the tools' descriptions. */
export function seenText(request: ModelRequest): string {
  return request.messages.map((message) => textOf(message.content)).join('\n\n');
}

/** The text of the last message of the user, without what the agent runtime adds in messages of its own. */
export function lastUserText(request: ModelRequest): string {
  return textOf(request.messages[lastUserIndex(request)]?.content);
}

/** The results of the tools called since the last message of the user, oldest first. */
export function toolResults(request: ModelRequest): string[] {
  return request.messages
    .slice(lastUserIndex(request) + 1)
    .filter((message) => message.role === 'tool')
    .map((message) => textOf(message.content));
}

/** OpenClaw follows a user's message with another one of role `user` that only has the state of its own processes. */
const INTERNAL_CONTEXT = '<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>';

function lastUserIndex(request: ModelRequest): number {
  return request.messages.findLastIndex(
    (message) => message.role === 'user' && !textOf(message.content).startsWith(INTERNAL_CONTEXT),
  );
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .map((part: unknown) => (isRecord(part) && typeof part.text === 'string' ? part.text : ''))
    .filter(Boolean)
    .join('\n');
}

/** An OpenAI-compatible model on loopback that records what it is asked and answers from a script. */
export async function startFakeModel(script: ReplyScript = () => 'OK'): Promise<FakeModel> {
  let current = script;
  const requests: ModelRequest[] = [];
  const waiters = new Set<(request: ModelRequest) => void>();
  const server = createServer((req, res) => {
    answer(req, res).catch((error: unknown) => {
      if (!res.headersSent) res.writeHead(500, { 'content-type': 'application/json' });
      res.end(JSON.stringify({ error: { message: String(error) } }));
    });
  });

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = new URL(req.url ?? '/', 'http://model').pathname;
    if (req.method === 'GET' && path === '/v1/models') {
      sendJson(res, { object: 'list', data: [{ id: 'fake-1', object: 'model', owned_by: 'fake' }] });
      return;
    }
    if (req.method !== 'POST' || path !== '/v1/chat/completions') {
      sendJson(res, { error: { message: `no such route: ${req.method} ${path}` } }, 404);
      return;
    }
    const request = toRequest(await readJson(req));
    requests.push(request);
    for (const waiter of waiters) waiter(request);
    const scripted = await current(request);
    const reply = typeof scripted === 'string' ? { text: scripted } : scripted;
    if (reply.delayMs) await pause(reply.delayMs, res);
    if (res.destroyed) return;
    if (reply.status) {
      sendJson(res, { error: { message: `scripted failure ${reply.status}` } }, reply.status);
      return;
    }
    if (request.stream) sendStream(res, request.model, reply, requests.length);
    else sendJson(res, completion(request.model, reply, requests.length));
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    requests,
    reply(next) {
      current = next;
    },
    waitFor(matches, timeoutMs = 30_000) {
      const found = requests.find(matches);
      if (found) return Promise.resolve(found);
      return new Promise((resolve, reject) => {
        const waiter = (request: ModelRequest) => {
          if (!matches(request)) return;
          clearTimeout(timer);
          waiters.delete(waiter);
          resolve(request);
        };
        const timer = setTimeout(() => {
          waiters.delete(waiter);
          reject(new Error(`the model got no matching request in ${timeoutMs} ms (${requests.length} others)`));
        }, timeoutMs);
        waiters.add(waiter);
      });
    },
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function toRequest(body: Record<string, unknown>): ModelRequest {
  const tools = Array.isArray(body.tools) ? body.tools : [];
  return {
    at: Date.now(),
    model: String(body.model ?? ''),
    stream: body.stream === true,
    messages: (Array.isArray(body.messages) ? body.messages : []) as ModelMessage[],
    toolNames: tools.map((tool: unknown) => {
      const declared = isRecord(tool) && isRecord(tool.function) ? tool.function.name : undefined;
      return typeof declared === 'string' ? declared : '';
    }),
    body,
  };
}

const usage = { prompt_tokens: 10, completion_tokens: 2, total_tokens: 12 };

function toolCalls(reply: ModelReply, serial: number) {
  return (reply.toolCalls ?? []).map((call, index) => ({
    index,
    id: `call_${serial}_${index}`,
    type: 'function',
    function: { name: call.name, arguments: JSON.stringify(call.arguments) },
  }));
}

function completion(model: string, reply: ModelReply, serial: number) {
  const calls = toolCalls(reply, serial);
  return {
    id: `chatcmpl-${serial}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: reply.text ?? null, ...(calls.length > 0 ? { tool_calls: calls } : {}) },
        finish_reason: calls.length > 0 ? 'tool_calls' : 'stop',
      },
    ],
    usage,
  };
}

function sendStream(res: ServerResponse, model: string, reply: ModelReply, serial: number): void {
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  const chunk = (delta: Record<string, unknown>, finish: string | null = null, extra: Record<string, unknown> = {}) => {
    const data = {
      id: `chatcmpl-${serial}`,
      object: 'chat.completion.chunk',
      created: Math.floor(Date.now() / 1000),
      model,
      choices: [{ index: 0, delta, finish_reason: finish }],
      ...extra,
    };
    res.write(`data: ${JSON.stringify(data)}\n\n`);
  };
  const calls = toolCalls(reply, serial);
  chunk({ role: 'assistant' });
  if (reply.text !== undefined) chunk({ content: reply.text });
  for (const call of calls) chunk({ tool_calls: [call] });
  chunk({}, calls.length > 0 ? 'tool_calls' : 'stop', { usage });
  res.end('data: [DONE]\n\n');
}

function sendJson(res: ServerResponse, body: unknown, status = 200): void {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(body));
}

async function readJson(req: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  const parsed: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  return isRecord(parsed) ? parsed : {};
}

function pause(ms: number, res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    res.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
