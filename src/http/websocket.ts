import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ExecutionArgs, GraphQLError, type GraphQLFormattedError } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { authenticate, tokenOf } from '../access/authenticate.ts';
import type { Viewer } from '../access/viewer.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Log } from '../log.ts';
import { presentError } from './errors.ts';
import { GRAPHQL_PATH, type Yoga } from './graphql.ts';
import { chooseRequestId, logOf } from './request-id.ts';
import { pathOf } from './request-path.ts';

/** Close codes that clients can act on. */
const UNAUTHENTICATED = 4401;
const SERVICE_RESTART = 1012;

export interface GraphQLSockets {
  /** Ends every connection with a code that tells clients to connect again. */
  close(): Promise<void>;
}

interface Extra extends Record<PropertyKey, unknown> {
  socket: WebSocket;
  request: IncomingMessage;
  viewer?: Viewer;
  requestId?: string;
}

/** GraphQL over WebSocket (graphql-transport-ws) on the server's own port. */
export function serveSockets(
  http: Server,
  yoga: Yoga,
  options: { fleet: Fleet; log: Log; corsOrigins: string[] },
): GraphQLSockets {
  const { fleet, log, corsOrigins } = options;
  const present = ({ requestId = '' }: Extra, errors: readonly GraphQLError[]): GraphQLFormattedError[] =>
    errors.map((error) => presentError(error, requestId, logOf(log, requestId)).toJSON());
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 1024 * 1024 });

  const server = useServer<Record<string, unknown>, Extra>(
    {
      async onConnect({ connectionParams, extra }) {
        const { Authorization, authorization, agentToken } = connectionParams ?? {};
        const token = tokenOf({ authorization: Authorization ?? authorization, agentToken });
        const viewer = token === null ? null : await authenticate(fleet.database.prisma, token);
        if (!viewer) {
          extra.socket.close(UNAUTHENTICATED, 'UNAUTHENTICATED');
          return false;
        }
        extra.viewer = viewer;
        extra.requestId = chooseRequestId(extra.request.headers['x-request-id']);
        return true;
      },
      async onSubscribe({ extra }, _id, params) {
        const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
          viewer: extra.viewer,
          params,
        });
        const document = parsed(() => parse(params.query));
        if (document instanceof GraphQLError) return [document];
        const args: ExecutionArgs & { operationName?: string | null } = {
          schema,
          operationName: params.operationName ?? null,
          document,
          variableValues: params.variables ?? null,
          contextValue: await contextFactory(),
        };
        const problems = validate(args.schema, args.document);
        if (problems.length > 0) return problems;
        return Object.assign(args, { rootValue: { execute, subscribe } });
      },
      execute: (args) => enveloped(args).execute(args),
      subscribe: (args) => enveloped(args).subscribe(args),
      onNext: ({ extra }, _id, _payload, _args, { data, errors, extensions }) =>
        errors && { data: data ?? null, errors: present(extra, errors), ...(extensions && { extensions }) },
      onError: ({ extra }, _id, _payload, errors) => present(extra, errors),
    },
    sockets,
    12_000,
  );

  http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (pathOf(request) !== GRAPHQL_PATH) return refuse(socket, '404 Not Found');
    if (!isAllowedOrigin(request, corsOrigins)) return refuse(socket, '403 Forbidden');
    sockets.handleUpgrade(request, socket, head, (ws) => sockets.emit('connection', ws, request));
  });

  return {
    async close() {
      for (const socket of sockets.clients) socket.close(SERVICE_RESTART, 'The server is going. Connect again.');
      await server.dispose();
    },
  };
}

interface Enveloped {
  execute: (args: unknown) => ReturnType<typeof import('graphql').execute>;
  subscribe: (args: unknown) => ReturnType<typeof import('graphql').subscribe>;
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

/** A syntax error is an answer to this one operation; thrown, it would end the connection with all its subscriptions. */
function parsed<T>(parse: () => T): T | GraphQLError {
  try {
    return parse();
  } catch (error) {
    if (error instanceof GraphQLError) return error;
    throw error;
  }
}

function refuse(socket: Duplex, status: string): void {
  // Nobody else listens on it any more, and an error that nobody hears ends the process.
  socket.on('error', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
