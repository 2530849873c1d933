import type { EventFrame } from '@openclaw/gateway-protocol/frame-guards';
import { type ConnectionInfo, type ConnectionOptions, GatewayConnection, type GatewayTarget } from './connection.ts';
import { NEVER_CONNECTED, sameTarget } from './connection-info.ts';

export interface PoolOptions
  extends Pick<
    ConnectionOptions,
    'log' | 'onRequest' | 'connectTimeoutMs' | 'requestTimeoutMs' | 'maxInFlight' | 'retry' | 'now' | 'random'
  > {
  /** Called for every change of every connection. */
  onInfo: (gatewayId: string, info: ConnectionInfo, previous: ConnectionInfo) => void;
  onEvent: (gatewayId: string, event: EventFrame) => void;
  /** Events of this gateway were lost: what they told has to be read afresh. */
  onGap?: (gatewayId: string) => void;
  /**
   * The gateway has given this device a token, to be put into later targets of this gateway, or, with null, refuses the one that
   * it gave. The token is a secret.
   */
  onDeviceToken?: (gatewayId: string, token: string | null) => void;
}

/** One lasting connection per gateway. */
export class GatewayPool {
  readonly #options: PoolOptions;
  readonly #connections = new Map<string, GatewayConnection>();

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /**
   * The connection to a gateway, opened if there is none. When the URL, token or TLS settings differ from those of the present
   * connection, that one is closed and a new one opened. Returns at once; await its `ready()`.
   */
  open(target: GatewayTarget): GatewayConnection {
    const present = this.#connections.get(target.id);
    if (present && sameTarget(present.target, target)) return present;
    void present?.close();
    // The first change of the new connection follows on the last of the old one.
    let before: ConnectionInfo | null = present?.info ?? null;
    const { onInfo, onEvent, onGap, onDeviceToken, ...options } = this.#options;
    const connection = new GatewayConnection({
      ...options,
      target,
      onInfo: (info, previous) => {
        onInfo(target.id, info, before ?? previous);
        before = null;
      },
      onEvent: (event) => onEvent(target.id, event),
      ...(onGap ? { onGap: () => onGap(target.id) } : {}),
      ...(onDeviceToken ? { onDeviceToken: (token) => onDeviceToken(target.id, token) } : {}),
    });
    this.#connections.set(target.id, connection);
    connection.start();
    return connection;
  }

  /** The present connection of a gateway, if there is one. Opens nothing. */
  peek(gatewayId: string): GatewayConnection | null {
    return this.#connections.get(gatewayId) ?? null;
  }

  /** How a gateway's connection is now; UNKNOWN when there is none. */
  info(gatewayId: string): ConnectionInfo {
    return this.peek(gatewayId)?.info ?? NEVER_CONNECTED;
  }

  /** How many connections are in each state. */
  states(): Map<ConnectionInfo['state'], number> {
    const states = new Map<ConnectionInfo['state'], number>();
    for (const { info } of this.#connections.values()) states.set(info.state, (states.get(info.state) ?? 0) + 1);
    return states;
  }

  /** Ends a gateway's connection; resolves within a second. Nothing happens when there is none. */
  async close(gatewayId: string): Promise<void> {
    const connection = this.#connections.get(gatewayId);
    this.#connections.delete(gatewayId);
    await connection?.close();
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#connections.keys()].map((gatewayId) => this.close(gatewayId)));
  }
}
