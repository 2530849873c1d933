import type { z } from 'zod';
import { GatewayError } from './errors.ts';
import { VERSIONS_DIFFER } from './failures/rule.ts';

export interface RequestOptions {
  /** In milliseconds, from sending, not counting the wait for a place. @default 30000 */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** What typed methods need of a connection. */
export interface GatewayRequests {
  /** Throws a `GatewayError`, or `signal.reason` when aborted. What is returned is not checked. */
  request<T = unknown>(method: string, params: object, options?: RequestOptions): Promise<T>;
}

/**
 * Calls a method and narrows its answer. Schemas are loose: gateways are ahead of the published ones, and what is not read is no
 * concern. Throws a `GatewayError`, also for an answer of another shape, or `signal.reason` when aborted.
 */
export async function ask<S extends z.ZodType>(
  gateway: GatewayRequests,
  method: string,
  params: object,
  schema: S,
  options: RequestOptions = {},
): Promise<z.output<S>> {
  const answer = await gateway.request(method, params, options);
  const read = schema.safeParse(answer);
  if (read.success) return read.data;
  const issue = read.error.issues[0];
  throw new GatewayError({
    kind: 'rejected',
    reason: 'unexpected-answer',
    message: `The gateway's answer to ${method} is not understood: ${issue?.path.join('.') || 'the whole'}: ${issue?.message ?? ''}`,
    retryable: false,
    hint: VERSIONS_DIFFER,
  });
}
