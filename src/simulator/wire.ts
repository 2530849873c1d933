/**
 * Frames and errors of the gateway protocol, v4, as `@openclaw/gateway-client` reads them:
 * `{type:"req",id,method,params}`, `{type:"res",id,ok,payload|error}` and `{type:"event",event,payload,seq}`.
 */
export type Dict = Record<string, unknown>;

export interface RequestFrame {
  type: 'req';
  id: string;
  method: string;
  params: Dict;
}

/** What a refused request carries. `details` and `retryAfterMs` are left out when there is nothing to say. */
export interface ErrorShape {
  code: string;
  message: string;
  details?: Dict;
  retryable?: boolean;
  retryAfterMs?: number;
}

/** A request that the gateway answers with an error. */
export class Refusal extends Error {
  readonly shape: ErrorShape;

  constructor(shape: ErrorShape) {
    super(shape.message);
    this.shape = shape;
  }
}

export function invalid(message: string, details?: Dict): Refusal {
  return new Refusal({ code: 'INVALID_REQUEST', message, ...(details ? { details } : {}), retryable: false });
}

export function unavailable(message: string, more: Partial<ErrorShape> = {}): Refusal {
  return new Refusal({ code: 'UNAVAILABLE', message, retryable: false, ...more });
}

export function isDict(value: unknown): value is Dict {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The request in a message, or undefined when it is none. Parameters that are no object count as empty. */
export function readRequest(data: string): RequestFrame | undefined {
  let frame: unknown;
  try {
    frame = JSON.parse(data);
  } catch {
    return undefined;
  }
  if (!isDict(frame) || frame.type !== 'req') return undefined;
  if (typeof frame.id !== 'string' || typeof frame.method !== 'string') return undefined;
  return { type: 'req', id: frame.id, method: frame.method, params: isDict(frame.params) ? frame.params : {} };
}

export function answerFrame(id: string, payload: unknown): string {
  return JSON.stringify({ type: 'res', id, ok: true, payload });
}

export function errorFrame(id: string, error: ErrorShape): string {
  return JSON.stringify({ type: 'res', id, ok: false, error });
}

export function eventFrame(event: string, payload: unknown, seq?: number): string {
  return JSON.stringify({ type: 'event', event, payload, ...(seq === undefined ? {} : { seq }) });
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
