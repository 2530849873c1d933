import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type Subscription } from '../support/client.ts';
import { ADMIN_TOKEN } from '../support/mission-control.ts';
import type { Endpoint } from './api.ts';
import { begin, type FollowEvents, followEvents, isCompared, type LoggedEvent } from './event-log.ts';

const AGAIN_MS = 100;
/** How long it stays at one server, by turns: it also goes on elsewhere when nothing has happened. */
const STAYS_MS = [500, 3_000, 10_000];

/**
 * One subscriber through it all: it takes what comes, and when it loses its connection, or leaves of itself, it goes on
 * after the last cursor that it has seen, at another server if one listens.
 */
export class Follower {
  /** What came, as it came. */
  readonly events: LoggedEvent[] = [];
  /** How often it went on at a server. */
  connections = 0;
  readonly #endpoints: readonly Endpoint[];
  #cursor: string | null = null;
  #subscription: Subscription<FollowEvents> | null = null;
  #stopped = false;
  readonly #following: Promise<void>;

  constructor(endpoints: readonly Endpoint[]) {
    this.#endpoints = endpoints;
    this.#following = this.#follow();
  }

  /** Resolves when an event has come that is this one or a later one. */
  async reached(cursor: string, timeoutMs = 30_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while ((this.#cursor ?? '') < cursor) {
      if (performance.now() > deadline)
        throw new Error(`The live subscriber has come to ${this.#cursor} and not to ${cursor} within ${timeoutMs} ms.`);
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#subscription?.stop();
    await this.#following;
  }

  async #follow(): Promise<void> {
    for (let turn = 0; !this.#stopped; turn++) {
      const endpoint = this.#endpoints[turn % this.#endpoints.length];
      if (endpoint?.isUp) await this.#followAt(endpoint.url, STAYS_MS[turn % STAYS_MS.length] ?? 0);
      await sleep(AGAIN_MS);
    }
  }

  /** Resolves when the subscription is over, for whatever reason: a server that was killed says none. */
  async #followAt(url: string, staysMs: number): Promise<void> {
    this.connections += 1;
    const leavesAt = performance.now() + staysMs;
    const subscription = new Client(url, ADMIN_TOKEN).subscribe(followEvents, begin(this.#cursor));
    this.#subscription = subscription;
    const ended = subscription.ended.then(
      () => true,
      () => true,
    );
    for (let taken = 0, over = false; !over; ) {
      over = (await Promise.race([ended, sleep(20, false)])) || performance.now() > leavesAt;
      for (const { value } of subscription.received.slice(taken)) this.#take(value.agentEvents);
      taken = subscription.received.length;
    }
    await subscription.stop();
  }

  #take(event: LoggedEvent): void {
    this.#cursor = event.cursor;
    if (isCompared(event)) this.events.push(event);
  }
}
