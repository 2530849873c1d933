import type { Database } from '../db/database.ts';
import type { SecretBox } from '../db/secrets.ts';
import type { ConnectionInfo, GatewayConnection } from '../gateway/connection.ts';
import { NEVER_CONNECTED } from '../gateway/connection-info.ts';
import type { DeviceIdentity } from '../gateway/device.ts';
import type { GatewayLog } from '../gateway/log.ts';
import { type Fact, observe } from '../gateway/observation.ts';
import { GatewayPool, type PoolOptions } from '../gateway/pool.ts';
import { listSessions, subscribeSessions } from '../gateway/sessions.ts';
import type { Gateway } from '../generated/prisma/client.ts';

export interface LinkListeners {
  /**
   * A gateway answers (again), or has got a model: what waited for that can go on. `changed`: it was restarted, or
   * lets this server in where it did not before, so that also what only a person could mend may have changed.
   */
  onUsable(gatewayId: string, changed: boolean): void;
  /** What a gateway's events say has happened there. */
  onFacts(gatewayId: string, facts: Fact[]): void;
}

/** States that only a person ends, or that a gateway has before anything is known of it. */
const NOT_LET_IN: readonly ConnectionInfo['state'][] = ['UNAUTHORIZED', 'PAIRING_REQUIRED', 'INCOMPATIBLE'];

/**
 * This process's connections to gateways. Those that are watched are kept open, their rows show how each stands, and
 * their events are heard; others are opened for requests alone.
 */
export class GatewayLinks {
  readonly #database: Database;
  readonly #secrets: SecretBox;
  readonly #device: DeviceIdentity;
  readonly #log: GatewayLog;
  readonly #pool: GatewayPool;
  /** Per gateway the writes of its connection's state, one after the other. */
  readonly #writes = new Map<string, Promise<void>>();
  /** Those that are watched, each with the boot that was seen last. */
  readonly #watched = new Map<string, { bootId: string | null; wasRefused: boolean }>();
  #listeners: LinkListeners = { onUsable: () => undefined, onFacts: () => undefined };

  /**
   * @param device who this installation is to gateways
   * @param onRequest called when a request to a gateway has ended
   */
  constructor(
    database: Database,
    secrets: SecretBox,
    device: DeviceIdentity,
    log: GatewayLog,
    onRequest: NonNullable<PoolOptions['onRequest']>,
  ) {
    this.#database = database;
    this.#secrets = secrets;
    this.#device = device;
    this.#log = log;
    this.#pool = new GatewayPool({
      log,
      onRequest,
      onInfo: (gatewayId, info, previous) => this.#onInfo(gatewayId, info, previous),
      onDeviceToken: (gatewayId, token) => this.#storeDeviceToken(gatewayId, token),
      onEvent: (gatewayId, event) => {
        if (!this.#watched.has(gatewayId)) return;
        const facts = observe(event, new Date());
        if (facts.length > 0) this.#listeners.onFacts(gatewayId, facts);
      },
      onGap: (gatewayId) => this.#subscribe(gatewayId),
    });
  }

  listen(listeners: LinkListeners): void {
    this.#listeners = listeners;
  }

  /** The connection, open and ready for requests. @throws GatewayError */
  async connect(gateway: Gateway): Promise<GatewayConnection> {
    // One that is watched follows its row: a row that was read before a change must not undo it.
    const present = this.#watched.has(gateway.id) ? this.#pool.peek(gateway.id) : null;
    const connection = present ?? this.#open(gateway);
    await connection.ready();
    return connection;
  }

  /** The connection, if it is open now; nothing is waited for. */
  connected(gatewayId: string): GatewayConnection | null {
    const connection = this.#pool.peek(gatewayId);
    return connection?.info.state === 'CONNECTED' ? connection : null;
  }

  /** Keeps the connection open; from now on its state is stored, and its events are heard. */
  watch(gateway: Gateway): void {
    const wasRefused = NOT_LET_IN.includes(gateway.connectionState);
    this.#watched.set(gateway.id, { bootId: gateway.bootId, wasRefused });
    const present = this.#pool.peek(gateway.id);
    const connection = this.#open(gateway);
    if (connection !== present || connection.info.state !== 'CONNECTED') return;
    // It was opened for requests before, and all that happened to it was heard by nobody.
    this.#onInfo(gateway.id, connection.info, NEVER_CONNECTED);
  }

  /** Another process does that now. */
  unwatch(gatewayId: string): void {
    if (this.#watched.delete(gatewayId)) void this.#pool.close(gatewayId);
  }

  /**
   * The gateway's row was changed, or somebody has found that it can be connected to: a connection that leads elsewhere now, or that
   * waits for a person, is opened anew.
   */
  update(gateway: Gateway): void {
    const present = this.#pool.peek(gateway.id);
    if (!present) return;
    const now = this.#open(gateway);
    if (now === present && NOT_LET_IN.includes(now.info.state)) now.reconnect();
  }

  /** The gateway is gone. */
  async forget(gatewayId: string): Promise<void> {
    this.#watched.delete(gatewayId);
    await this.#pool.close(gatewayId);
    this.#writes.delete(gatewayId);
  }

  /** Connects afresh and measures the round trip; the gateway's row has the outcome when this resolves. @throws GatewayError */
  async check(gateway: Gateway): Promise<void> {
    const connection = this.#open(gateway);
    connection.reconnect();
    try {
      await connection.ready();
      await connection.probe();
    } finally {
      if (!this.#watched.has(gateway.id)) await this.#store(gateway.id, connection.info);
      await this.#writes.get(gateway.id);
    }
  }

  /** Since when the gateway is connected; null while it is not. */
  connectedSince(gatewayId: string): Date | null {
    return this.#pool.info(gatewayId).connectedAt;
  }

  /** How many of this process's connections are in each state. */
  states(): Map<ConnectionInfo['state'], number> {
    return this.#pool.states();
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
      device: this.#device,
      deviceToken: gateway.deviceTokenSealed === null ? null : this.#secrets.open(gateway.deviceTokenSealed),
    });
  }

  #storeDeviceToken(gatewayId: string, token: string | null): void {
    const deviceTokenSealed = token === null ? null : this.#secrets.seal(token);
    this.#database.prisma.gateway
      .updateMany({ where: { id: gatewayId }, data: { deviceTokenSealed } })
      .catch((error: unknown) => this.#log.error({ err: error, gatewayId }, 'cannot store the token of this device'));
  }

  #onInfo(gatewayId: string, info: ConnectionInfo, previous: ConnectionInfo): void {
    const watched = this.#watched.get(gatewayId);
    if (!watched) return;
    const before = this.#writes.get(gatewayId) ?? Promise.resolve();
    const written = before
      .then(() => this.#store(gatewayId, info))
      .catch((error: unknown) => {
        this.#log.error({ err: error, gatewayId }, 'cannot store the state of a gateway connection');
      });
    this.#writes.set(gatewayId, written);
    const isNew = info.state === 'CONNECTED' && info.connectedAt !== previous.connectedAt;
    const gotModel = previous.modelConfigured === false && info.modelConfigured === true;
    const isRefused = NOT_LET_IN.includes(info.state);
    if (isRefused) watched.wasRefused = true;
    if (isNew) this.#subscribe(gatewayId);
    if (!isNew && !gotModel) return;
    const changed = watched.wasRefused || watched.bootId !== info.bootId;
    watched.wasRefused = false;
    watched.bootId = info.bootId;
    void written.then(() => this.#listeners.onUsable(gatewayId, changed));
  }

  /**
   * Subscriptions at the gateway are gone after a reconnect, and what it told meanwhile was heard by nobody: so this is done
   * for each connection, and when events were lost.
   */
  #subscribe(gatewayId: string): void {
    const connection = this.#pool.peek(gatewayId);
    if (!connection || !this.#watched.has(gatewayId)) return;
    this.#listRuns(gatewayId, connection).catch((error: unknown) => {
      this.#log.warn({ err: error, gatewayId }, 'cannot follow the sessions of a gateway');
    });
  }

  async #listRuns(gatewayId: string, connection: GatewayConnection): Promise<void> {
    await subscribeSessions(connection);
    const sessions = await listSessions(connection);
    const running = new Set<string>();
    const ended: { agentId: string; at: Date }[] = [];
    for (const { agentId, hasActiveRun, status, endedAt } of sessions) {
      // One that waits for its turn does not work yet.
      if (agentId && hasActiveRun && status !== 'queued') running.add(agentId);
      else if (agentId && !hasActiveRun && endedAt && status !== 'failed') ended.push({ agentId, at: endedAt });
    }
    this.#listeners.onFacts(gatewayId, [{ kind: 'runs-listed', running: [...running], ended, at: new Date() }]);
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
