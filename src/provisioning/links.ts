import type { Database } from '../db/database.ts';
import type { SecretBox } from '../db/secrets.ts';
import type { ConnectionInfo, GatewayConnection } from '../gateway/connection.ts';
import type { GatewayLog } from '../gateway/log.ts';
import { type Fact, observe } from '../gateway/observation.ts';
import { GatewayPool } from '../gateway/pool.ts';
import { subscribeSessions } from '../gateway/sessions.ts';
import type { Gateway } from '../generated/prisma/client.ts';

export interface LinkListeners {
  /** A gateway answers (again), or has got a model: what waited for that can go on. */
  onUsable(gatewayId: string): void;
  /** What a gateway's events say has happened there. */
  onFacts(gatewayId: string, facts: Fact[]): void;
}

/** This process's connections to gateways; their rows show how each stands. */
export class GatewayLinks {
  readonly #database: Database;
  readonly #secrets: SecretBox;
  readonly #log: GatewayLog;
  readonly #pool: GatewayPool;
  /** Per gateway the writes of its connection's state, one after the other. */
  readonly #writes = new Map<string, Promise<void>>();
  #listeners: LinkListeners = { onUsable: () => undefined, onFacts: () => undefined };

  constructor(database: Database, secrets: SecretBox, log: GatewayLog) {
    this.#database = database;
    this.#secrets = secrets;
    this.#log = log;
    this.#pool = new GatewayPool({
      log,
      onInfo: (gatewayId, info, previous) => this.#onInfo(gatewayId, info, previous),
      onEvent: (gatewayId, event) => {
        const facts = observe(event, new Date());
        if (facts.length > 0) this.#listeners.onFacts(gatewayId, facts);
      },
    });
  }

  listen(listeners: LinkListeners): void {
    this.#listeners = listeners;
  }

  /** The connection, open and ready for requests. @throws GatewayError */
  async connect(gateway: Gateway): Promise<GatewayConnection> {
    const connection = this.#open(gateway);
    await connection.ready();
    return connection;
  }

  /** Opens the connections of all gateways, so that their state is known and their events are seen. */
  async openAll(): Promise<void> {
    const gateways = await this.#database.prisma.gateway.findMany();
    for (const gateway of gateways) this.#open(gateway);
  }

  /** Connects afresh and measures the round trip; the gateway's row has the outcome when this resolves. @throws GatewayError */
  async check(gateway: Gateway): Promise<void> {
    const connection = this.#open(gateway);
    connection.reconnect();
    try {
      await connection.ready();
      await connection.probe();
    } finally {
      await this.#writes.get(gateway.id);
    }
  }

  /** Since when the gateway is connected; null while it is not. */
  connectedSince(gatewayId: string): Date | null {
    return this.#pool.info(gatewayId).connectedAt;
  }

  async close(): Promise<void> {
    await this.#pool.closeAll();
    await Promise.all(this.#writes.values());
  }

  #open(gateway: Gateway): GatewayConnection {
    return this.#pool.open({
      id: gateway.id,
      url: gateway.url,
      token: gateway.tokenSealed === null ? null : this.#secrets.open(gateway.tokenSealed),
      tlsFingerprint: gateway.tlsFingerprint,
      allowInsecureTls: gateway.allowInsecureTls,
    });
  }

  #onInfo(gatewayId: string, info: ConnectionInfo, previous: ConnectionInfo): void {
    const before = this.#writes.get(gatewayId) ?? Promise.resolve();
    const written = before
      .then(() => this.#store(gatewayId, info))
      .catch((error: unknown) => {
        this.#log.error({ err: error, gatewayId }, 'cannot store the state of a gateway connection');
      });
    this.#writes.set(gatewayId, written);
    if (info.state !== previous.state)
      this.#log.info({ gatewayId, state: info.state, error: info.lastError }, 'gateway connection');
    const isNew = info.state === 'CONNECTED' && info.connectedAt !== previous.connectedAt;
    const gotModel = previous.modelConfigured === false && info.modelConfigured === true;
    if (isNew) this.#subscribe(gatewayId);
    if (isNew || gotModel) void written.then(() => this.#listeners.onUsable(gatewayId));
  }

  /** Subscriptions at the gateway are gone after a reconnect, so this is done for each connection. */
  #subscribe(gatewayId: string): void {
    const connection = this.#pool.peek(gatewayId);
    if (!connection) return;
    subscribeSessions(connection).catch((error: unknown) => {
      this.#log.warn({ err: error, gatewayId }, 'cannot subscribe to the sessions of a gateway');
    });
  }

  async #store(gatewayId: string, info: ConnectionInfo): Promise<void> {
    await this.#database.prisma.gateway.updateMany({
      where: { id: gatewayId },
      data: {
        connectionState: info.state,
        serverVersion: info.serverVersion,
        protocolVersion: info.protocolVersion,
        bootId: info.bootId,
        connectedAt: info.connectedAt,
        connectionError: info.lastError,
        connectionHint: info.hint,
        nextAttemptAt: info.nextAttemptAt,
        latencyMs: info.latencyMs,
        modelConfigured: info.modelConfigured,
      },
    });
  }
}
