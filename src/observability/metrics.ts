import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Database } from '../db/database.ts';
import { AgentStatus, GatewayConnectionState, Liveness, ProvisioningPhase } from '../generated/prisma/enums.ts';
import type { HttpMetrics } from '../http/metrics.ts';
import type { Log } from '../log.ts';
import type { GatewayLinks } from '../provisioning/links.ts';
import type { ProvisioningMetrics } from '../provisioning/metrics.ts';
import type { FleetCounter, FleetCounts } from './fleet-counts.ts';

/** What is looked at when somebody asks for the metrics. */
export interface MetricSources {
  fleet: Pick<FleetCounter, 'count'>;
  links: Pick<GatewayLinks, 'states'>;
  database: Pick<Database, 'pool'>;
  /** Events that wait to be made into results. */
  feed: { readonly waiting: number };
  /** Results that wait to be read by streams of events, and those that are kept for who comes back soon. */
  liveResults: { readonly waiting: number; readonly kept: number };
  sockets: { readonly open: number; readonly waitingBytes: number };
}

/** In seconds: of what is answered at once, … */
const SHORT = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
/** … and of what waits for gateways. */
const LONG = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** Everybody who asks within this gets the same text: whoever asks needs no token. */
const KEPT_MS = 1_000;

/** Event loop, memory, garbage collection: of the process, whatever number of servers are in it, and begun with the first. */
let ofProcess: Registry | null = null;

function processMetrics(): Registry {
  if (ofProcess === null) {
    ofProcess = new Registry();
    collectDefaultMetrics({ register: ofProcess });
  }
  return ofProcess;
}

/**
 * The metrics of one server. Labels have few values, none of them chosen by clients: no ids, no names. docs/observability.md
 * has a table of them.
 */
export class Metrics implements HttpMetrics, ProvisioningMetrics {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #registry = new Registry();
  readonly #log: Log;
  #sources: MetricSources | null = null;
  #text: Promise<string> | null = null;
  #renderedAt = 0;

  readonly #requests = this.#counter('http_requests_total', 'HTTP requests that have ended', ['path', 'status']);
  readonly #requestSeconds = this.#histogram('http_request_duration_seconds', 'HTTP requests', ['path'], SHORT);
  readonly #operations = this.#counter('graphql_operations_total', 'GraphQL operations executed', [
    ...['type', 'field', 'outcome'],
  ]);
  readonly #operationSeconds = this.#histogram(
    'graphql_operation_duration_seconds',
    'GraphQL operations; of subscriptions, until they have begun',
    ['type', 'field'],
    SHORT,
  );
  readonly #errors = this.#counter('graphql_errors_total', 'Top-level GraphQL errors told to clients', ['code']);
  readonly #subscriptions = this.#gauge('subscriptions_open', 'Subscriptions that are open', ['field']);
  readonly #deliveries = this.#counter('deliveries_total', 'Results of subscriptions handed to their clients', []);
  readonly #stepSeconds = this.#histogram(
    'provisioning_step_duration_seconds',
    'Steps of provisioning, by agent',
    ['step', 'outcome'],
    LONG,
  );
  readonly #provisioningSeconds = this.#histogram(
    'provisioning_duration_seconds',
    'Tries to bring an agent in line',
    ['outcome'],
    LONG,
  );
  readonly #gatewayRequestSeconds = this.#histogram(
    'gateway_request_duration_seconds',
    'Requests to gateways',
    ['method', 'outcome'],
    LONG,
  );

  readonly #sockets = this.#gauge('websockets_open', 'WebSockets that are open', []);
  readonly #socketBytes = this.#gauge('websocket_waiting_bytes', 'Bytes that WebSocket clients have not read yet', []);
  readonly #waiting = this.#gauge('live_waiting', 'Events and results that wait to go on to subscribers', ['queue']);
  readonly #kept = this.#gauge('live_kept', 'Results that are kept for subscribers who come back soon', []);
  readonly #connections = this.#gauge('gateway_connections', 'Connections of this process to gateways', ['state']);
  readonly #pool = this.#gauge('database_pool_connections', 'Connections to PostgreSQL for statements', ['state']);
  readonly #poolWaiting = this.#gauge('database_pool_waiting', 'Statements that wait for a connection', []);

  readonly #agents = this.#gauge('agents', 'Agents', ['status', 'liveness']);
  readonly #phases = this.#gauge('agents_by_phase', 'Agents by how their provisioning stands', ['phase']);
  readonly #gateways = this.#gauge('gateways', 'Gateways by how their connection was last seen', ['state']);
  readonly #due = this.#gauge('agents_due', 'Agents that are to be brought in line now', []);
  readonly #dueGateways = this.#gauge('gateways_due', 'Gateways with agents that are to be brought in line now', []);

  constructor(log: Log) {
    this.#log = log;
    processMetrics();
  }

  /** Whom to ask at each scrape. */
  watch(sources: MetricSources): void {
    this.#sources = sources;
  }

  text(): Promise<string> {
    const now = performance.now();
    if (this.#text === null || now - this.#renderedAt > KEPT_MS) {
      this.#renderedAt = now;
      this.#text = this.#render();
    }
    return this.#text;
  }

  requestEnded(path: string, status: number, seconds: number | null): void {
    this.#requests.inc({ path, status });
    if (seconds !== null) this.#requestSeconds.observe({ path }, seconds);
  }

  operationEnded(
    { type, field }: Parameters<HttpMetrics['operationEnded']>[0],
    outcome: 'ok' | 'error',
    seconds: number,
  ): void {
    this.#operations.inc({ type, field, outcome });
    this.#operationSeconds.observe({ type, field }, seconds);
  }

  errorTold(code: string): void {
    this.#errors.inc({ code });
  }

  subscriptionBegan(field: string): ReturnType<HttpMetrics['subscriptionBegan']> {
    this.#subscriptions.inc({ field });
    return { onEnd: () => this.#subscriptions.dec({ field }), onResult: () => this.delivered() };
  }

  delivered(): void {
    this.#deliveries.inc();
  }

  stepEnded(...[step, outcome, seconds, agents]: Parameters<ProvisioningMetrics['stepEnded']>): void {
    for (let agent = 0; agent < agents; agent++)
      this.#stepSeconds.observe({ step, outcome: outcome.toLowerCase() }, seconds);
  }

  provisioningEnded(...[outcome, seconds]: Parameters<ProvisioningMetrics['provisioningEnded']>): void {
    this.#provisioningSeconds.observe({ outcome }, seconds);
  }

  /** A request to a gateway has ended. */
  gatewayRequestEnded(method: string, outcome: 'ok' | 'error', seconds: number): void {
    this.#gatewayRequestSeconds.observe({ method, outcome }, seconds);
  }

  async #render(): Promise<string> {
    if (this.#sources) await this.#look(this.#sources);
    return `${await processMetrics().metrics()}${await this.#registry.metrics()}`;
  }

  async #look({ fleet, links, database, feed, liveResults, sockets }: MetricSources): Promise<void> {
    this.#sockets.set(sockets.open);
    this.#socketBytes.set(sockets.waitingBytes);
    this.#waiting.set({ queue: 'feed' }, feed.waiting);
    this.#waiting.set({ queue: 'streams' }, liveResults.waiting);
    this.#kept.set(liveResults.kept);
    const states = links.states();
    for (const state of Object.values(GatewayConnectionState)) this.#connections.set({ state }, states.get(state) ?? 0);
    const pool = database.pool();
    if (pool) {
      this.#pool.set({ state: 'used' }, pool.used);
      this.#pool.set({ state: 'idle' }, pool.idle);
      this.#poolWaiting.set(pool.waiting);
    }
    try {
      this.#setFleet(await fleet.count());
    } catch (error) {
      // Numbers of before would look like those of now.
      for (const gauge of [this.#agents, this.#phases, this.#gateways]) gauge.reset();
      for (const gauge of [this.#due, this.#dueGateways]) gauge.remove();
      this.#log.warn({ err: error }, 'cannot count the fleet for /metrics');
    }
  }

  #setFleet({ agents, gateways, due }: FleetCounts): void {
    for (const status of Object.values(AgentStatus))
      for (const liveness of Object.values(Liveness))
        this.#agents.set(
          { status, liveness },
          sum(agents.filter((group) => group.status === status && group.liveness === liveness)),
        );
    for (const phase of Object.values(ProvisioningPhase))
      this.#phases.set({ phase }, sum(agents.filter((group) => group.phase === phase)));
    for (const state of Object.values(GatewayConnectionState))
      this.#gateways.set({ state }, sum(gateways.filter((group) => group.state === state)));
    this.#due.set(due.agents);
    this.#dueGateways.set(due.gateways);
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name: `mission_control_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name: `mission_control_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #histogram(name: string, help: string, labelNames: string[], buckets: number[]): Histogram {
    return new Histogram({ name: `mission_control_${name}`, help, labelNames, buckets, registers: [this.#registry] });
  }
}

function sum(groups: { count: number }[]): number {
  return groups.reduce((total, { count }) => total + count, 0);
}
