import { GraphQLError, type GraphQLSchema } from 'graphql';
import { createYoga, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import { authenticate, tokenOf } from '../access/authenticate.ts';
import type { Viewer } from '../access/viewer.ts';
import type { EventFeed } from '../events/feed.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Log } from '../log.ts';
import type { Context } from '../schema/context.ts';
import { presentError, presentResult, unauthenticated } from './errors.ts';
import { logOf, requestIdOf } from './request-id.ts';

export const GRAPHQL_PATH = '/graphql';

export interface GraphQLOptions {
  schema: GraphQLSchema;
  fleet: Fleet;
  feed: EventFeed;
  log: Log;
  /** Origins whose pages may call. */
  corsOrigins: string[];
}

/** What a WebSocket has found out before yoga is asked. */
export interface SocketContext {
  viewer?: Viewer;
}

export type Yoga = YogaServerInstance<SocketContext, Context>;

/** GraphQL over HTTP, with server-sent events for subscriptions, and GraphiQL for browsers. */
export function createGraphQL(options: GraphQLOptions): Yoga {
  const { schema, fleet, feed, log, corsOrigins } = options;
  const viewers = new WeakMap<Request, Viewer>();
  return createYoga<SocketContext, Context>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    landingPage: false,
    logging: false,
    batching: false,
    // What an error may tell is decided in one place, presentError, for HTTP and WebSocket alike.
    maskedErrors: false,
    cors:
      corsOrigins.length === 0
        ? false
        : { origin: corsOrigins, credentials: false, methods: ['GET', 'POST', 'OPTIONS'] },
    renderGraphiQL: async () => (await import('./graphiql.ts')).graphiqlPage,
    context: ({ request, viewer }) => {
      const known = viewer ?? viewers.get(request);
      if (!known) throw unauthenticated();
      return { viewer: known, fleet, feed };
    },
    plugins: [requireToken(fleet, viewers), presentErrors(log)],
  });
}

/** Refuses requests without a valid token before anything of them is read. GraphiQL's page itself needs none. */
function requireToken(fleet: Fleet, viewers: WeakMap<Request, Viewer>): Plugin {
  return {
    async onRequestParse({ request }) {
      const token = tokenOf({
        authorization: request.headers.get('authorization'),
        agentToken: request.headers.get('x-agent-token'),
      });
      const viewer = token === null ? null : await authenticate(fleet.database.prisma, token);
      if (!viewer) throw unauthenticated();
      viewers.set(request, viewer);
      if (request.method === 'GET') checkParameters(new URL(request.url).searchParams);
    },
  };
}

/** yoga would take a parameter of a GET that is no JSON for a mistake of its own. */
function checkParameters(parameters: URLSearchParams): void {
  for (const name of ['variables', 'extensions']) {
    try {
      JSON.parse(parameters.get(name) || 'null');
    } catch {
      const extensions = { code: 'BAD_REQUEST', http: { spec: true, status: 400 } };
      throw new GraphQLError(`The parameter ${name} must be JSON.`, { extensions });
    }
  }
}

function presentErrors(log: Log): Plugin {
  return {
    onRequest({ request, endResponse, fetchAPI }) {
      // yoga answers a form's POST as well; browsers send those without asking for permission first.
      if (request.method === 'POST' && !/^application\/json *(;|$)/.test(request.headers.get('content-type') ?? '')) {
        const extensions = { code: 'BAD_REQUEST', requestId: requestIdOf(request) };
        const errors = [{ message: 'Send application/json.', extensions }];
        endResponse(fetchAPI.Response.json({ errors }, { status: 415 }));
      }
    },
    onResultProcess({ request, result, setResult }) {
      if (Array.isArray(result) || !('errors' in result || Symbol.asyncIterator in result)) return;
      const requestId = requestIdOf(request);
      const requestLog = logOf(log, requestId);
      if (Symbol.asyncIterator in result) setResult(presentEach(result, requestId, requestLog));
      else setResult(presentResult(result, requestId, requestLog));
    },
  };
}

type Results = AsyncIterable<Parameters<typeof presentResult>[0]>;

async function* presentEach(results: Results, requestId: string, log: Log): AsyncGenerator<object> {
  try {
    for await (const result of results) yield presentResult(result, requestId, log);
  } catch (error) {
    yield { errors: [presentError(error, requestId, log)] };
  }
}
