import { LRUCache } from 'lru-cache';

/** Gateways, and requests of each, that are remembered. */
const GATEWAYS = 1_000;
const REQUESTS = 32;
/** Another process may have done what was asked for: it has nothing to do with a run of long after. */
const KEPT_MS = 5 * 60_000;

/** Which requests a gateway's next run is done for, as traces name them. Those of no trace are not among them. */
export class RunCauses {
  readonly #causes = new LRUCache<string, string[]>({ max: GATEWAYS, ttl: KEPT_MS });

  /** @param traceparent what names the request */
  add(gatewayId: string, traceparent: string): void {
    const causes = this.#causes.get(gatewayId) ?? [];
    if (causes.length < REQUESTS) this.#causes.set(gatewayId, [...causes, traceparent]);
  }

  /** For the run that begins now. */
  take(gatewayId: string): string[] {
    const causes = this.#causes.get(gatewayId) ?? [];
    this.#causes.delete(gatewayId);
    return causes;
  }
}
