import { GraphQLError } from 'graphql';
import { CursorExpired } from '../events/replay.ts';
import { SubscriptionGap, SubscriptionOverflow } from '../events/topic.ts';
import {
  ConflictError,
  DeletedMeanwhile,
  ForbiddenError,
  GatewayFailure,
  LimitExceededError,
  NotFoundError,
  ValidationError,
} from '../fleet/errors.ts';
import type { Log } from '../log.ts';
import type { HttpMetrics } from './metrics.ts';

/** Failures that a resolver without a result union may throw: they are told as top-level errors, with their code. */
const EXPECTED = [
  ConflictError,
  CursorExpired,
  DeletedMeanwhile,
  ForbiddenError,
  GatewayFailure,
  LimitExceededError,
  NotFoundError,
  SubscriptionGap,
  SubscriptionOverflow,
  ValidationError,
];

/** The code of what GraphQL itself refuses, such as variables of the wrong type: it gives none. */
const BAD_REQUEST = { code: 'BAD_USER_INPUT' };

/** How errors are told. */
export interface Presentation {
  log: Log;
  metrics: HttpMetrics;
  /** Whether they may name what the schema has instead of what was asked for. */
  suggestions: boolean;
}

/**
 * The error as a client may see it: what is wrong with its request, or which expected failure it is. Anything else is
 * a bug: it goes to the log, and the client is told the request id under which it is found there.
 */
export function presentError(error: unknown, requestId: string, presentation: Presentation): GraphQLError {
  const presented = presentedError(error, requestId, presentation);
  // What a subscription tells over a WebSocket comes here once more, with the request id that it got the first time.
  if (!(error instanceof GraphQLError && 'requestId' in error.extensions))
    presentation.metrics.errorTold(String(presented.extensions.code));
  return presented;
}

function presentedError(error: unknown, requestId: string, { log, suggestions }: Presentation): GraphQLError {
  const located = error instanceof GraphQLError ? error : null;
  const thrown = located?.originalError ?? error;
  const cause = DeletedMeanwhile.from(thrown) ?? thrown;
  const place = {
    nodes: located?.nodes ?? null,
    source: located?.source ?? null,
    positions: located?.positions ?? null,
    path: located?.path ?? null,
  };
  const message = located && (suggestions ? located.message : withoutSuggestion(located.message));
  // Of a wrong variable only the outer message says which one it is.
  if (message !== null && cause instanceof GraphQLError)
    return new GraphQLError(message, { ...place, extensions: { ...BAD_REQUEST, ...cause.extensions, requestId } });
  const expected = EXPECTED.find((type) => cause instanceof type);
  if (expected && cause instanceof expected) {
    const hint = cause instanceof GatewayFailure ? { hint: cause.hint, gatewayCode: cause.gatewayCode } : {};
    return new GraphQLError(cause.message, { ...place, extensions: { code: cause.code, ...hint, requestId } });
  }
  if (located && message !== null && !located.originalError)
    return new GraphQLError(message, { ...place, extensions: { ...BAD_REQUEST, ...located.extensions, requestId } });
  log.error({ requestId, err: cause, path: located?.path?.join('.') }, 'internal error');
  return new GraphQLError('Something went wrong here. The server’s log has more, under the request id.', {
    ...place,
    extensions: { code: 'INTERNAL_SERVER_ERROR', requestId },
  });
}

/** GraphQL puts it at the end of its sentences. */
function withoutSuggestion(message: string): string {
  return message.replace(/ Did you mean [^?]*\?/g, '');
}

/** The result with each of its errors as a client may see it. */
export function presentResult<T extends { errors?: readonly GraphQLError[] | undefined }>(
  result: T,
  requestId: string,
  presentation: Presentation,
): T {
  if (!result.errors) return result;
  return { ...result, errors: result.errors.map((error) => presentError(error, requestId, presentation)) };
}

/** The answer to a request without a valid token. Nothing more is told. */
export function unauthenticated(): GraphQLError {
  return new GraphQLError('This needs a valid token: Authorization: Bearer … (operators) or X-Agent-Token (agents).', {
    extensions: { code: 'UNAUTHENTICATED', http: { status: 401, headers: { 'WWW-Authenticate': 'Bearer' } } },
  });
}

/** The answer to who asks too often. */
export function tooManyRequests(why: string, waitMs: number): GraphQLError {
  const retryAfterSeconds = Math.ceil(waitMs / 1_000);
  return new GraphQLError(`${why} Try again in ${retryAfterSeconds} s.`, {
    extensions: {
      code: 'TOO_MANY_REQUESTS',
      retryAfterSeconds,
      http: { status: 429, headers: { 'Retry-After': String(retryAfterSeconds) } },
    },
  });
}

/** The answer to who has as many connections open as one credential may have. */
export function tooManyConnections(limit: number): GraphQLError {
  return new GraphQLError(`This token has ${limit} connections open, as many as it may have. Close some first.`, {
    extensions: { code: 'TOO_MANY_CONNECTIONS', limit, http: { status: 429 } },
  });
}

/** The answer to an operation on a WebSocket that has as many under way as it may have. */
export function tooManyOperations(limit: number): GraphQLError {
  return new GraphQLError(
    `This connection has ${limit} operations under way, as many as it may have. End some first.`,
    {
      extensions: { code: 'TOO_MANY_OPERATIONS', limit },
    },
  );
}
