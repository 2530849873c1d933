import { GraphQLError } from 'graphql';
import { SubscriptionOverflow } from '../events/topic.ts';
import {
  ConflictError,
  ForbiddenError,
  GatewayFailure,
  LimitExceededError,
  NotFoundError,
  ValidationError,
} from '../fleet/errors.ts';
import type { Log } from '../log.ts';

/** Failures that a resolver without a result union may throw: they are told as top-level errors, with their code. */
const EXPECTED = [
  ConflictError,
  ForbiddenError,
  GatewayFailure,
  LimitExceededError,
  NotFoundError,
  SubscriptionOverflow,
  ValidationError,
];

/**
 * The error as a client may see it: what is wrong with its request, or which expected failure it is. Anything else is
 * a bug: it goes to the log, and the client is told the request id under which it is found there.
 */
export function presentError(error: unknown, requestId: string, log: Log): GraphQLError {
  const located = error instanceof GraphQLError ? error : null;
  const cause = located?.originalError ?? error;
  const place = {
    nodes: located?.nodes ?? null,
    source: located?.source ?? null,
    positions: located?.positions ?? null,
    path: located?.path ?? null,
  };
  // Of a wrong variable only the outer message says which one it is.
  if (located && cause instanceof GraphQLError)
    return new GraphQLError(located.message, { ...place, extensions: { ...cause.extensions, requestId } });
  const expected = EXPECTED.find((type) => cause instanceof type);
  if (expected && cause instanceof expected) {
    const hint = cause instanceof GatewayFailure ? { hint: cause.hint, gatewayCode: cause.gatewayCode } : {};
    return new GraphQLError(cause.message, { ...place, extensions: { code: cause.code, ...hint, requestId } });
  }
  if (located && !located.originalError)
    return new GraphQLError(located.message, { ...place, extensions: { ...located.extensions, requestId } });
  log.error({ err: cause, path: located?.path?.join('.') }, 'internal error');
  return new GraphQLError('Something went wrong here. The server’s log has more, under the request id.', {
    ...place,
    extensions: { code: 'INTERNAL_SERVER_ERROR', requestId },
  });
}

/** The result with each of its errors as a client may see it. */
export function presentResult<T extends { errors?: readonly GraphQLError[] | undefined }>(
  result: T,
  requestId: string,
  log: Log,
): T {
  if (!result.errors) return result;
  return { ...result, errors: result.errors.map((error) => presentError(error, requestId, log)) };
}

/** The answer to a request without a valid token. Nothing more is told. */
export function unauthenticated(): GraphQLError {
  return new GraphQLError('This needs a valid token: Authorization: Bearer … (operators) or X-Agent-Token (agents).', {
    extensions: { code: 'UNAUTHENTICATED', http: { status: 401, headers: { 'WWW-Authenticate': 'Bearer' } } },
  });
}
