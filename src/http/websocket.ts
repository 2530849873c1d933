import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ExecutionArgs, GraphQLError, type GraphQLFormattedError } from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocket, WebSocketServer } from 'ws';
import type { LiveCredentials } from '../access/live-credentials.ts';
import { inTraceOf } from '../spans.ts';
import { accessEnded, closeForEnd } from './access-end.ts';
import type { ConnectionSlots } from './connection-slots.ts';
import { type Presentation, presentError, tooManyConnections, tooManyOperations } from './errors.ts';
import { GRAPHQL_PATH, type Yoga } from './graphql.ts';
import type { Sink } from './live-results.ts';
import { chooseRequestId } from './request-id.ts';
import { pathOf } from './request-path.ts';
import type { Caller, SignIn } from './sign-in.ts';

/** Close codes that clients can act on. */
const UNAUTHENTICATED = 4401;
const TOO_MANY_REQUESTS = 4429;
const SERVICE_RESTART = 1012;
const TRY_AGAIN_LATER = 1013;

/** How long a client may take to answer when the server ends its connection. */
const CLOSE_TIMEOUT_MS = 5_000;

/** Bytes that may wait for a client that does not read. The largest answer has fewer. */
const LARGEST_BACKLOG = 64 * 1024 * 1024;

/** The same for live results, of which it can read those that it missed later: about a thousand. */
const LARGEST_LIVE_BACKLOG = 512 * 1024;

export interface SocketOptions {
  signIn: SignIn;
  live: LiveCredentials;
  slots: ConnectionSlots;
  presentation: Presentation;
  corsOrigins: string[];
  /** Of a message. */
  bodyBytes: number;
  /** At the same time. */
  operationsPerConnection: number;
}

export interface GraphQLSockets {
  /** Ends every connection with a code that tells clients to connect again. */
  close(): Promise<void>;
  /** How many connections there are. */
  readonly open: number;
  /** Bytes that wait for clients to read them. */
  readonly waitingBytes: number;
}

interface Extra extends Record<PropertyKey, unknown> {
  socket: WebSocket;
  request: IncomingMessage;
  caller?: Caller;
  requestId?: string;
}

/** What was not sent any more when a client went is no error: graphql-ws would write a stack trace for each such message. */
class ServerSocket extends WebSocket {
  override send(data: string, ...rest: unknown[]): void {
    // Queries end when their answer is handed over, so nothing else holds back a client that asks and does not read.
    // It is cut off: a close frame would wait behind all that is not read.
    if (this.bufferedAmount > LARGEST_BACKLOG) this.terminate();
    const done = rest.at(-1);
    super.send(data, (error) => {
      if (typeof done === 'function') done(this.readyState === this.OPEN ? error : undefined);
    });
  }
}

/** GraphQL over WebSocket (graphql-transport-ws) on the server's own port. */
export function serveSockets(http: Server, yoga: Yoga, options: SocketOptions): GraphQLSockets {
  const { signIn, live, slots, presentation, corsOrigins, bodyBytes, operationsPerConnection } = options;
  const present = ({ requestId = '' }: Extra, errors: readonly GraphQLError[]): GraphQLFormattedError[] =>
    errors.map((error) => {
      const { extensions: { http: _http, ...extensions } = {}, ...rest } = presentError(
        error,
        requestId,
        presentation,
      ).toJSON();
      return { ...rest, extensions };
    });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: bodyBytes, WebSocket: ServerSocket });

  const server = useServer<Record<string, unknown>, Extra>(
    {
      async onConnect({ connectionParams, extra }) {
        const { Authorization, authorization, agentToken } = connectionParams ?? {};
        const { socket, request } = extra;
        try {
          const caller = await signIn.signIn({ authorization: Authorization ?? authorization, agentToken }, request);
          const giveBack = slots.take(caller.key);
          if (!giveBack) throw tooManyConnections(slots.limit);
          if (socket.readyState === socket.OPEN) socket.once('close', giveBack);
          else giveBack();
          extra.caller = caller;
          followSocket(socket, caller, live);
        } catch (error) {
          if (!(error instanceof GraphQLError)) {
            // Thrown, graphql-ws would close with 4500, after which its clients never try again.
            presentation.log.error({ err: error }, 'cannot sign a WebSocket in');
            socket.close(TRY_AGAIN_LATER, 'The token cannot be looked up now.');
            return false;
          }
          presentation.metrics.errorTold(String(error.extensions.code));
          if (error.extensions.code === 'UNAUTHENTICATED') socket.close(UNAUTHENTICATED, 'UNAUTHENTICATED');
          else socket.close(TOO_MANY_REQUESTS, error.message);
          return false;
        }
        extra.requestId = chooseRequestId(request.headers['x-request-id']);
        return true;
      },
      async onSubscribe({ extra, subscriptions }, id, params) {
        // This one is among them.
        const count = Object.keys(subscriptions).length;
        try {
          return await operationOf(extra, count, id, params);
        } catch (error) {
          // An answer to this operation: thrown, it would end the connection with all its subscriptions.
          return [error instanceof GraphQLError ? error : new GraphQLError('', { originalError: asError(error) })];
        }
      },
      execute: (args) => inTraceOf(enveloped(args).traceparent, () => enveloped(args).execute(args)),
      subscribe: (args) => inTraceOf(enveloped(args).traceparent, () => enveloped(args).subscribe(args)),
      onNext: ({ extra }, _id, _payload, _args, { data, errors, extensions }) => {
        return errors && { data: data ?? null, errors: present(extra, errors), ...(extensions && { extensions }) };
      },
      onError: ({ extra }, _id, _payload, errors) => present(extra, errors),
    },
    sockets,
    12_000,
  );

  /**
   * What is to be executed, or why it is not.
   * @param count operations of the connection, with this one
   * @throws GraphQLError, and whatever the database throws
   */
  async function operationOf(
    extra: Extra,
    count: number,
    id: string,
    params: SubscribePayload,
  ): Promise<ExecutionArgs | readonly GraphQLError[]> {
    const { caller } = extra;
    if (!caller) throw new Error('A subscribe came before its connection was acknowledged.');
    if (count > operationsPerConnection) throw tooManyOperations(operationsPerConnection);
    signIn.count(caller.key);
    await requireAccess(extra.socket, caller, live);
    const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
      viewer: caller.viewer,
      socket: { requestId: extra.requestId ?? '', sink: sinkOf(extra.socket, id) },
      params,
    });
    const document = parse(params.query);
    const contextValue = await contextFactory();
    // A rule of GraphQL's own throws for a variable in a directive at a subscription's root.
    const problems = validate(schema, document);
    if (problems.length > 0) return problems;
    return {
      schema,
      operationName: params.operationName ?? null,
      document,
      variableValues: params.variables ?? null,
      contextValue,
      rootValue: { execute, subscribe, traceparent: params.extensions?.traceparent },
    };
  }

  http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (pathOf(request) !== GRAPHQL_PATH) return refuse(socket, '404 Not Found');
    if (!isAllowedOrigin(request, corsOrigins)) return refuse(socket, '403 Forbidden');
    sockets.handleUpgrade(request, socket, head, (ws) => {
      sockets.emit('connection', ws, request);
      // graphql-ws writes a stack trace to stderr for each client that breaks the protocol; ws has closed it with its code.
      ws.removeAllListeners('error');
      ws.on('error', (error) => presentation.log.debug({ err: error }, 'a WebSocket broke the protocol'));
    });
  });

  return {
    get open() {
      return sockets.clients.size;
    },
    get waitingBytes() {
      let bytes = 0;
      for (const socket of sockets.clients) bytes += socket.bufferedAmount;
      return bytes;
    },
    async close() {
      for (const socket of sockets.clients) socket.close(SERVICE_RESTART, 'The server is going. Connect again.');
      const cutOff = () => {
        for (const socket of sockets.clients) socket.terminate();
      };
      const timer = setTimeout(cutOff, CLOSE_TIMEOUT_MS);
      await server.dispose();
      clearTimeout(timer);
    },
  };
}

/** Ends the connection when its credential is not what it was. */
function followSocket(socket: WebSocket, caller: Caller, live: LiveCredentials): void {
  // It may have gone while its token was looked up, and then tells of its end no more.
  if (socket.readyState === socket.CLOSED) return;
  const unfollow = live.follow(caller, (why) => closeForEnd(socket, why));
  socket.once('close', unfollow);
}

/**
 * The connection's viewer is as it is now from then on.
 * @throws GraphQLError for an operation of a connection whose credential is not what it was
 */
async function requireAccess(socket: WebSocket, caller: Caller, live: LiveCredentials): Promise<void> {
  const why = await live.endOf(caller);
  if (why === null) return;
  closeForEnd(socket, why);
  throw accessEnded(why);
}

/** Live results of an operation go straight to the socket, as the messages that graphql-ws would make of them. */
function sinkOf(socket: WebSocket, id: string): Sink {
  const start = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
  return (text) => {
    if (socket.bufferedAmount > LARGEST_LIVE_BACKLOG) return false;
    if (socket.readyState === socket.OPEN) socket.send(`${start}${text}}`);
    return true;
  };
}

interface Enveloped {
  execute: (args: unknown) => ReturnType<typeof import('graphql').execute>;
  subscribe: (args: unknown) => ReturnType<typeof import('graphql').subscribe>;
  /** What the client gave as the extension of that name: a message has no headers. */
  traceparent: unknown;
}

/** yoga's functions for this operation, with its plugins; onSubscribe has put them there. */
function enveloped(args: { rootValue?: unknown }): Enveloped {
  return args.rootValue as Enveloped;
}

/** Programs send no Origin. A browser's page must be this server's own, or of an origin that was allowed. */
function isAllowedOrigin(request: IncomingMessage, allowed: string[]): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || allowed.includes(origin)) return true;
  return URL.parse(origin)?.host === host;
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

function refuse(socket: Duplex, status: string): void {
  // Nobody else listens on it any more, and an error that nobody hears ends the process.
  socket.on('error', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
