import { TypedDocumentString } from '../../src/generated/client/graphql.ts';
import { Client } from '../support/client.ts';
import { ADMIN_TOKEN } from '../support/mission-control.ts';
import type { Api, Endpoint } from './api.ts';
import { EVENTS_OF_AGENT, FOLLOW_EVENTS, HEARTBEAT, LATEST_EVENTS } from './documents.ts';

/** An event of the log. */
export interface LoggedEvent {
  cursor: string;
  type: string;
  agentId: string;
}

export interface FollowEvents {
  agentEvents: LoggedEvent;
}

export const followEvents = new TypedDocumentString<FollowEvents, { after: string } | { since: string }>(FOLLOW_EVENTS);

const READ_TIMEOUT_MS = 30_000;

/** Heartbeats that change nothing are told and not logged, so heartbeats are left out of what is compared. */
export function isCompared(event: Pick<LoggedEvent, 'type'>): boolean {
  return event.type !== 'HEARTBEAT';
}

/** From where a subscription begins: after a cursor, or from the log's first event on. */
export function begin(after: string | null): { after: string } | { since: string } {
  return after === null ? { since: new Date(0).toISOString() } : { after };
}

/** The latest event of all agents that are there. @returns its cursor */
export async function latestCursor(api: Api): Promise<string> {
  const { agents } = await api.ask<{ agents: { nodes: { events: { nodes: { cursor: string }[] } }[] } }>(LATEST_EVENTS);
  const cursors = agents.nodes.flatMap(({ events }) => events.nodes.map(({ cursor }) => cursor)).sort();
  const latest = cursors.at(-1);
  if (latest === undefined) throw new Error('no agent has an event');
  return latest;
}

/**
 * Makes an event that comes after all that has happened until now, so that readers know when they have read that.
 * @param mainId an agent that is never paused
 * @returns the cursor of that event, or of a later one
 */
export async function fence(api: Api, mainId: string): Promise<string> {
  for (const status of ['ACTIVE', 'IDLE']) await api.ask(HEARTBEAT, { input: { id: mainId, status } });
  return latestCursor(api);
}

/** What a server tells of the log between two cursors, to a subscriber that begins now. */
async function readLog({ url }: Endpoint, after: string | null, until: string): Promise<LoggedEvent[]> {
  const subscription = new Client(url, ADMIN_TOKEN).subscribe(followEvents, begin(after));
  try {
    await Promise.race([
      subscription.first(({ agentEvents }) => agentEvents.cursor >= until, READ_TIMEOUT_MS),
      subscription.ended.then(() => Promise.reject(new Error('the subscription ended'))),
    ]);
    const events = subscription.received.map(({ value }) => value.agentEvents);
    return events.filter((event) => isCompared(event) && event.cursor <= until);
  } finally {
    await subscription.stop();
  }
}

/** The log as it was seen so far. What is read later has to agree with it. */
export class EventLog {
  readonly #api: Api;
  readonly events: LoggedEvent[] = [];
  /** Up to which event it was read, of each reading. */
  readonly #fences: string[] = [];

  constructor(api: Api) {
    this.#api = api;
  }

  /**
   * Reads what is new, from every server, and once more what the reading before brought.
   * @param until an event that is the last one of all
   * @throws Error when servers differ, or the log with what it was
   */
  async read(until: string): Promise<void> {
    const after = this.#fences.at(-2) ?? null;
    const known = this.events.filter(({ cursor }) => after === null || cursor > after);
    const [first = [], ...others] = await Promise.all(
      this.#api.endpoints.map((endpoint) => readLog(endpoint, after, until)),
    );
    expectOrder(first, 'the log');
    expectPrefix(known, first, 'the log');
    for (const other of others) expectSame(first, other, 'another server’s log');
    this.events.push(...first.slice(known.length));
    this.#fences.push(until);
  }

  /** Reads all of it once more, from every server. @throws Error when it differs from what it was */
  async readAgain(): Promise<void> {
    const until = this.#fences.at(-1);
    if (until === undefined) return;
    for (const endpoint of this.#api.endpoints)
      expectSame(this.events, await readLog(endpoint, null, until), `the whole log at ${endpoint.url}`);
  }

  /** Compares an agent's own log with this one, from the reading before the last on. @throws Error when they differ */
  async checkAgent(agentId: string): Promise<void> {
    const [after, until] = [this.#fences.at(-2) ?? null, this.#fences.at(-1) ?? ''];
    const expected = this.events.filter(
      (event) => event.agentId === agentId && (after === null || event.cursor > after),
    );
    const told = await this.#eventsOf(agentId, after);
    const compared = told.filter((event) => isCompared(event) && event.cursor <= until);
    expectSame(expected, compared, `the log of agent ${agentId}`);
  }

  async #eventsOf(id: string, after: string | null): Promise<Pick<LoggedEvent, 'cursor' | 'type'>[]> {
    const events: Pick<LoggedEvent, 'cursor' | 'type'>[] = [];
    for (let cursor = after; ; ) {
      const { agent } = await this.#api.ask<AgentEventsPage>(EVENTS_OF_AGENT, { id, after: cursor });
      if (!agent) throw new Error(`there is no agent ${id}`);
      events.push(...agent.events.nodes);
      if (!agent.events.pageInfo.hasNextPage) return events;
      cursor = agent.events.pageInfo.endCursor;
    }
  }
}

interface AgentEventsPage {
  agent: {
    events: {
      nodes: Pick<LoggedEvent, 'cursor' | 'type'>[];
      pageInfo: { hasNextPage: boolean; endCursor: string | null };
    };
  } | null;
}

type Compared = Pick<LoggedEvent, 'cursor' | 'type'>;

/** Each event after the one before it. @throws Error */
export function expectOrder(events: readonly Compared[], what: string): void {
  for (const [index, event] of events.entries()) {
    const before = events[index - 1];
    if (before && before.cursor >= event.cursor)
      throw new Error(`In ${what}, ${show(event)} comes after ${show(before)}.`);
  }
}

/** @throws Error that names the first event that differs */
export function expectSame(expected: readonly Compared[], found: readonly Compared[], what: string): void {
  expectPrefix(expected, found, what);
  if (found.length > expected.length)
    throw new Error(`${what} goes on with ${show(found[expected.length])}, which is nowhere else.`);
}

function expectPrefix(expected: readonly Compared[], found: readonly Compared[], what: string): void {
  for (const [index, event] of expected.entries()) {
    const other = found[index];
    if (other?.cursor !== event.cursor || other.type !== event.type)
      throw new Error(`${what} has ${show(other)} where ${show(event)} was expected, at ${index} of ${found.length}.`);
  }
}

function show(event: Compared | undefined): string {
  return event ? `${event.type} ${event.cursor}` : 'nothing';
}
