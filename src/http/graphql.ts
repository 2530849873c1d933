import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExecutionResult, GraphQLError, type GraphQLSchema, NoSchemaIntrospectionCustomRule } from 'graphql';
import { createYoga, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import type { LiveCredentials } from '../access/live-credentials.ts';
import type { Viewer } from '../access/viewer.ts';
import type { Announcements } from '../events/announcements.ts';
import type { EventFeed } from '../events/feed.ts';
import { lastSeq } from '../events/log.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Context } from '../schema/context.ts';
import { endWithAccess } from './access-end.ts';
import type { ConnectionSlots } from './connection-slots.ts';
import { documentCaches, limitTokens } from './documents.ts';
import { type Presentation, presentError, presentResult, tooManyConnections, unauthenticated } from './errors.ts';
import { streamEvents } from './event-stream.ts';
import type { LiveResults, Sink } from './live-results.ts';
import type { HttpMetrics } from './metrics.ts';
import { observeOperations, operationLabels } from './observed-operations.ts';
import { limitCost } from './operation-cost.ts';
import { limitShape, type ShapeLimits } from './operation-shape.ts';
import { requestIdOf } from './request-id.ts';
import { Results } from './results.ts';
import { shareQueries } from './shared-queries.ts';
import type { Caller, SignIn } from './sign-in.ts';
import { type SubscriptionArgs, subscribe } from './subscribe.ts';
import { noConditionalSubscription } from './subscription-root.ts';

export const GRAPHQL_PATH = '/graphql';

export interface GraphQLOptions {
  schema: GraphQLSchema;
  fleet: Fleet;
  feed: EventFeed;
  announcements: Announcements;
  signIn: SignIn;
  live: LiveCredentials;
  /** Event streams take theirs of the same as WebSockets. */
  slots: ConnectionSlots;
  presentation: Presentation;
  liveResults: LiveResults;
  /** Origins whose pages may call. */
  corsOrigins: string[];
  limits: ShapeLimits & { cost: number };
  /** Whether clients may ask for the schema. */
  introspection: boolean;
}

/** What a WebSocket has found out before yoga is asked, or what yoga is given of an HTTP request by its server. */
export interface ServerContext {
  viewer?: Viewer;
  socket?: SocketOperation;
  req?: IncomingMessage;
  res?: ServerResponse;
}

export type Yoga = YogaServerInstance<ServerContext, Context>;

/** GraphQL over HTTP, with server-sent events for subscriptions, and GraphiQL for browsers. */
export function createGraphQL(options: GraphQLOptions): Yoga {
  const { schema, fleet, feed, announcements, signIn, live, slots, presentation, corsOrigins, limits, liveResults } =
    options;
  const callers = new WeakMap<Request, Caller>();
  return createYoga<ServerContext, Context>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    landingPage: false,
    logging: false,
    batching: false,
    // limitBody does it; yoga would have each body go through streams for it, a tenth of the time of a short request.
    maxRequestBodySize: false,
    parserAndValidationCache: documentCaches(),
    // What an error may tell is decided in one place, presentError, for HTTP and WebSocket alike.
    maskedErrors: false,
    cors:
      corsOrigins.length === 0
        ? false
        : // Of several origins, yoga would answer any other with "null", which is what sandboxed pages call theirs.
          ({ headers }) =>
            corsOrigins.includes(headers.get('origin') ?? '') && {
              origin: corsOrigins,
              credentials: false,
              methods: ['GET', 'POST', 'OPTIONS'],
              exposedHeaders: ['X-Request-Id', 'Retry-After'],
            },
    renderGraphiQL: async () => (await import('./graphiql.ts')).graphiqlPage,
    context: async ({ request, params, viewer }) => {
      const known = viewer ?? callers.get(request)?.viewer;
      if (!known) throw unauthenticated();
      const asksForPosition = params?.query?.includes('eventCursor') ?? false;
      const logPosition = asksForPosition ? await lastSeq(fleet.database.prisma, known.organizationId) : null;
      const lastEventId = request?.headers.get('last-event-id') || null;
      return { viewer: known, fleet, feed, announcements, lastEventId, logPosition };
    },
    plugins: [
      requireToken(signIn, callers),
      limitStreams(slots, callers),
      limitTokens(limits.tokens),
      limitDocuments(limits, options.introspection),
      limitCost(limits.cost),
      shareQueries(),
      presentErrors(presentation),
      shareSubscriptions(presentation, live, callers, liveResults),
      observeOperations(presentation.metrics),
      streamEvents(),
      protectPage(),
    ],
  });
}

/** Refuses requests without a valid token before anything of them is read. GraphiQL's page itself needs none. */
function requireToken(signIn: SignIn, callers: WeakMap<Request, Caller>): Plugin<object, ServerContext> {
  return {
    async onRequestParse({ request, serverContext: { req } }) {
      if (!req) throw unauthenticated();
      const authorization = request.headers.get('authorization');
      const agentToken = request.headers.get('x-agent-token');
      callers.set(request, await signIn.signIn({ authorization, agentToken }, req));
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

/** Counts the event streams over HTTP among the connections of their credential, until they are closed. */
function limitStreams(slots: ConnectionSlots, callers: WeakMap<Request, Caller>): Plugin<ServerContext> {
  return {
    onSubscribe({ args, setResultAndStopExecution }) {
      const { request, res } = args.contextValue;
      const caller = request && callers.get(request);
      // Over WebSocket the socket has been counted.
      if (!caller || !res) return;
      const giveBack = slots.take(caller.key);
      if (!giveBack) return setResultAndStopExecution({ errors: [tooManyConnections(slots.limit)] });
      // The client may have gone meanwhile.
      if (res.closed) giveBack();
      else res.once('close', giveBack);
    },
  };
}

/** What a WebSocket hands on with an operation. */
export interface SocketOperation {
  requestId: string;
  sink: Sink;
}

/** Has what several subscribers ask for alike executed once for all of them. */
function shareSubscriptions(
  presentation: Presentation,
  credentials: LiveCredentials,
  callers: WeakMap<Request, Caller>,
  live: LiveResults,
): Plugin<ServerContext> {
  return {
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn(async (args) => {
        // The context that is made above, with what yoga has added.
        const operation = args as SubscriptionArgs & { contextValue: ServerContext & { request?: Request } };
        const { socket, request, res } = operation.contextValue;
        const requestId = socket?.requestId ?? (request ? requestIdOf(request) : '');
        const results = await subscribe(operation, {
          live,
          present: (result) => presentResult(result, requestId, presentation),
          presentError: (error) => ({ errors: [presentError(error, requestId, presentation)] }),
          sink: socket ? counted(socket.sink, presentation.metrics) : null,
          onBegin: () => presentation.metrics.subscriptionBegan(operationLabels(operation).field),
        });
        const caller = request && callers.get(request);
        // Over WebSocket the connection ends as a whole.
        if (caller && res && results instanceof Results)
          endWithAccess(results, caller, credentials, { response: res, requestId, presentation });
        return results;
      });
    },
  };
}

function counted(sink: Sink, metrics: HttpMetrics): Sink {
  return (text) => {
    const taken = sink(text);
    if (taken) metrics.delivered();
    return taken;
  };
}

function limitDocuments(limits: ShapeLimits, introspection: boolean): Plugin {
  const shape = limitShape(limits);
  return {
    onValidate({ addValidationRule }) {
      addValidationRule(shape);
      addValidationRule(noConditionalSubscription);
      if (!introspection) addValidationRule(NoSchemaIntrospectionCustomRule);
    },
  };
}

/**
 * Refuses what a browser sends for a page of another origin without asking this server first: a form, or text. Nothing is
 * gained by it as long as credentials are headers, which such a page cannot send, and never cookies, which a browser would add
 * by itself. For the same reason a GET needs no header that makes a browser ask; it can read only, and only with a token.
 */
function presentErrors(presentation: Presentation): Plugin {
  return {
    onRequest({ request, endResponse, fetchAPI }) {
      // yoga answers a form's POST as well; browsers send those without asking for permission first.
      if (request.method === 'POST' && !/^application\/json(;|$)/.test(request.headers.get('content-type') ?? '')) {
        const extensions = { code: 'BAD_REQUEST', requestId: requestIdOf(request) };
        const errors = [{ message: 'Send application/json.', extensions }];
        endResponse(fetchAPI.Response.json({ errors }, { status: 415 }));
      }
    },
    onResultProcess({ request, result, setResult }) {
      // What subscriptions tell has been made presentable by them.
      if (Array.isArray(result) || !('errors' in result)) return;
      setResult(presentResult(result as ExecutionResult, requestIdOf(request), presentation));
    },
  };
}

/** Gives GraphiQL's page its content policy in place of the one of answers for programs. */
function protectPage(): Plugin {
  return {
    async onResponse({ response }) {
      if (!response.headers.get('content-type')?.startsWith('text/html')) return;
      response.headers.set('Content-Security-Policy', (await import('./graphiql.ts')).graphiqlPolicy);
    },
  };
}
