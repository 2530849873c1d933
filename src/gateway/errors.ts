import type { FailureReason, RefusedState, Rule } from './failures/rule.ts';
import { ruleFor } from './failures/table.ts';
import { type Fault, faultOf } from './fault.ts';

/** What an error holds beside its message. */
export interface GatewayErrorFields {
  /** `unavailable`: it could not be reached or cannot serve now. `rejected`: it answered, and the answer is no. */
  kind: 'unavailable' | 'rejected';
  /** Which rule of failures/ it falls under. */
  reason: FailureReason;
  message: string;
  /** The gateway's own code, for example `INVALID_REQUEST` or `PAIRING_REQUIRED`; null when it gave none. */
  gatewayCode?: string | null;
  /** Whether the same request may succeed later without anybody doing anything. */
  retryable: boolean;
  /** How long the gateway asks to wait, in milliseconds; null when it says nothing. */
  retryAfterMs?: number | null;
  /** What an operator can do, in one sentence; null when there is nothing to do. */
  hint?: string | null;
  connection?: RefusedState;
  /** Structured details of the gateway, as it sent them. */
  details?: unknown;
  cause?: unknown;
}

/** The only error, beside an abort, that functions of this room throw. Its message never holds a secret. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly kind: 'unavailable' | 'rejected';
  readonly reason: FailureReason;
  readonly gatewayCode: string | null;
  readonly retryable: boolean;
  readonly retryAfterMs: number | null;
  readonly hint: string | null;
  /** The state that this failure puts a connection in, if it happens while connecting. */
  readonly connection: RefusedState;
  readonly details: unknown;

  constructor(fields: GatewayErrorFields) {
    super(fields.message);
    this.kind = fields.kind;
    this.reason = fields.reason;
    this.gatewayCode = fields.gatewayCode ?? null;
    this.retryable = fields.retryable;
    this.retryAfterMs = fields.retryAfterMs ?? null;
    this.hint = fields.hint ?? null;
    this.connection = fields.connection ?? 'UNREACHABLE';
    this.details = fields.details;
    // Not enumerable, so that a logger does not print the library's error, which may hold what the message hides.
    if (fields.cause !== undefined) Object.defineProperty(this, 'cause', { value: fields.cause, enumerable: false });
  }
}

/** What is known where an error is caught. */
export interface FailureContext {
  /** The gateway's URL, for the sentence that says what could not be reached. */
  url?: string;
  /** Texts that must not appear in a message, for example the gateway's token. */
  secrets?: readonly string[];
}

/**
 * Turns anything that the official client, a socket or the gateway throws into a `GatewayError`.
 * A `GatewayError` is returned as it is. Never throws.
 */
export function toGatewayError(thrown: unknown, context: FailureContext = {}): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  const fault = faultOf(thrown, context.url ?? null);
  const rule = ruleFor(fault);
  return new GatewayError({
    kind: rule.kind,
    reason: rule.reason,
    message: hideSecrets(rule.message?.(fault) ?? fault.message, context.secrets ?? []),
    gatewayCode: fault.detailCode ?? fault.gatewayCode,
    retryable: rule.retryable,
    retryAfterMs: fault.retryAfterMs ?? rule.retryAfterMs ?? null,
    hint: hintOf(rule, fault),
    connection: rule.connection ?? 'UNREACHABLE',
    details: fault.details,
    cause: thrown,
  });
}

function hintOf(rule: Rule, fault: Fault): string | null {
  return typeof rule.hint === 'function' ? rule.hint(fault) : rule.hint;
}

const MAX_MESSAGE_LENGTH = 500;

/** Takes known secrets, bearer headers, credentials in URLs and token parameters out of a text, and shortens it. */
export function hideSecrets(text: string, secrets: readonly string[] = []): string {
  let hidden = text;
  for (const secret of secrets) if (secret.length > 0) hidden = hidden.replaceAll(secret, '***');
  hidden = hidden
    .replace(/\/\/[^@/?#\s]+@/g, '//***@')
    .replace(/(bearer\s+)\S+/gi, '$1***')
    .replace(/([?&](?:token|password|secret|key|auth)[^=&\s]*=)[^&#\s"'<>)]+/gi, '$1***');
  return hidden.length > MAX_MESSAGE_LENGTH ? `${hidden.slice(0, MAX_MESSAGE_LENGTH - 1)}…` : hidden;
}

/** A `GatewayError` of certain reasons. */
export type Failed<R extends FailureReason> = GatewayError & { readonly reason: R };

/** Whether an error is a `GatewayError` of one of these reasons. */
export function hasReason<R extends FailureReason>(error: unknown, ...reasons: R[]): error is Failed<R> {
  return error instanceof GatewayError && reasons.some((reason) => reason === error.reason);
}

/** The gateway has no agent, file, session or job of that name. */
export const isNotFound = (error: unknown): error is Failed<'not-found'> => hasReason(error, 'not-found');
/** The configuration was changed by someone else since it was read. */
export const isStaleConfig = (error: unknown): error is Failed<'stale-config'> => hasReason(error, 'stale-config');
/** Another session of the same agent has that label. */
export const isLabelInUse = (error: unknown): error is Failed<'label-in-use'> => hasReason(error, 'label-in-use');
/** The gateway does not take a file of that name. */
export const isUnsupportedFile = (error: unknown): error is Failed<'unsupported-file'> =>
  hasReason(error, 'unsupported-file');
/** The file was changed since the hash that was given as expected. */
export const isFileConflict = (error: unknown): error is Failed<'file-conflict'> => hasReason(error, 'file-conflict');
