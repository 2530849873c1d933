import { type Dict, type ErrorShape, unavailable } from './wire.ts';

/** What goes wrong with a request. */
type FaultKind =
  /** Answered with this error, nothing is done. */
  | { kind: 'refuse'; error: ErrorShape }
  /** Nothing is done, and this is what is answered. */
  | { kind: 'answer'; payload: unknown }
  /** Nothing is done and no answer ever comes. */
  | { kind: 'stall' }
  /** Nothing is done and the connection breaks. */
  | { kind: 'drop' }
  /** Done and answered, this many milliseconds later. */
  | { kind: 'late'; ms: number }
  /** Done, but the connection breaks before the answer. */
  | { kind: 'perform-then-drop' }
  /** Done, but answered with this error. */
  | { kind: 'perform-then-refuse'; error: ErrorShape };

export type Fault = FaultKind & {
  /** The method, `connect` for the handshake, or `*` for any but the handshake. */
  method: string;
  /** Only requests with such parameters. */
  when?: (params: Dict) => boolean;
  /** How many requests it strikes. @default 1 */
  times?: number;
};

/** The answer to a config.patch that was written while another writer won (UNAVAILABLE, not retryable). */
export const SUPERSEDED: ErrorShape = unavailable(
  'config.patch persisted but was not applied to the active Gateway (superseded); run config.get, then use config.apply',
).shape;

/** Faults on demand. */
export class Faults {
  readonly #faults: { fault: Fault; left: number }[] = [];

  /** Returns how to take the fault back. */
  add(fault: Fault): () => void {
    const entry = { fault, left: fault.times ?? 1 };
    this.#faults.push(entry);
    return () => {
      entry.left = 0;
    };
  }

  clear(): void {
    this.#faults.length = 0;
  }

  /** The fault for a request, counted as having struck. */
  strike(method: string, params: Dict): Fault | undefined {
    const entry = this.#faults.find(
      ({ fault, left }) =>
        left > 0 &&
        (fault.method === method || (fault.method === '*' && method !== 'connect')) &&
        (fault.when?.(params) ?? true),
    );
    if (entry) entry.left -= 1;
    return entry?.fault;
  }
}
