import type { FailureReason } from '../../src/gateway/failures/rule.ts';
import type { Stage } from './stage.ts';

/** A rule of src/gateway/failures, shown by what causes it and by what the operator reads then. */
export interface Row {
  reason: FailureReason;
  causes: readonly Cause[];
}

export interface Cause {
  /** What is wrong: the title of its test. */
  cause: string;
  /** Makes the cause and expects the sentences. */
  show: (stage: Stage) => Promise<void>;
}

export const row = (reason: FailureReason, ...causes: Cause[]): Row => ({ reason, causes });

/** What the API says of a failure beside its sentences. */
export interface Kind {
  code: 'GATEWAY_UNAVAILABLE' | 'GATEWAY_REJECTED';
  retryable: boolean;
}

/** It could not be reached or cannot serve now, and may later. */
export const PASSING: Kind = { code: 'GATEWAY_UNAVAILABLE', retryable: true };
/** It answered no, and may answer yes later. */
export const PASSING_REFUSAL: Kind = { code: 'GATEWAY_REJECTED', retryable: true };
/** It answered no, and will until somebody changes something. */
export const LASTING: Kind = { code: 'GATEWAY_REJECTED', retryable: false };
/** It cannot be reached so, until somebody changes something. */
export const MISCONFIGURED: Kind = { code: 'GATEWAY_UNAVAILABLE', retryable: false };

/** The hint for what passes. */
export const WAIT_FOR_IT = 'Nothing to do: it is tried again by itself.';
/** The hint for what no rule knows. */
export const SEE_LOG = "Read the gateway's log on its machine: openclaw logs --follow.";
