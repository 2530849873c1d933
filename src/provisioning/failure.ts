import type { GatewayError } from '../gateway/errors.ts';

/** The kind of an expected failure, as the API names it. */
export type ErrorCode =
  | 'VALIDATION'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'FORBIDDEN'
  | 'LIMIT_EXCEEDED'
  | 'GATEWAY_UNAVAILABLE'
  | 'GATEWAY_REJECTED';

/** A failure as it is stored with an agent and told to operators. */
export interface Failure {
  message: string;
  code: ErrorCode;
  /** The gateway's own code, for example INVALID_REQUEST. */
  gatewayCode: string | null;
  /** Whether it may pass by itself. */
  retryable: boolean;
  /** What the operator should do next, in one sentence. */
  hint: string | null;
}

export function failureOf({ message, kind, gatewayCode, retryable, hint }: GatewayError): Failure {
  const code = kind === 'unavailable' ? 'GATEWAY_UNAVAILABLE' : 'GATEWAY_REJECTED';
  return { message, code, gatewayCode, retryable, hint };
}
