import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fixedPort } from './fixed-port.ts';

/** Which way data does not get through. */
export type Direction = 'both' | 'to gateway' | 'to client';
type Way = Exclude<Direction, 'both'>;

/** A TCP proxy on loopback that can make its connections fail in the ways in which a network does. */
export class CuttingProxy {
  readonly port: number;
  readonly #targetPort: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** One for the connections that are made from now on, until they are dropped. */
  #dropped = { isSo: false };
  readonly #stalled: Record<Way, PromiseWithResolvers<void> | null> = { 'to gateway': null, 'to client': null };
  #delayMs = 0;

  private constructor(port: number, targetPort: number) {
    this.port = port;
    this.#targetPort = targetPort;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#join(client));
  }

  /** A proxy for a port of loopback. */
  static async create(targetPort: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(await fixedPort(), targetPort);
    await proxy.#listen();
    return proxy;
  }

  /** Breaks all connections. What was on its way is lost. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Nothing gets through this way any more, and nothing says so. What is on its way arrives after `heal`. */
  stall(direction: Direction): void {
    for (const way of ['to gateway', 'to client'] as const)
      if (direction === 'both' || direction === way) this.#stalled[way] ??= Promise.withResolvers();
  }

  /**
   * Drops what is connected without a word: nothing of it gets through any more, and neither side is told. Connections that are
   * made from now on are not meant.
   */
  drop(): void {
    this.#dropped.isSo = true;
    this.#dropped = { isSo: false };
  }

  /** Everything arrives this much later, in both directions. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Breaks all connections and takes no new ones. */
  refuse(): void {
    this.#server.close();
    this.cut();
  }

  /** Makes it a good network again. Connections that were not cut go on. */
  async heal(): Promise<void> {
    this.#delayMs = 0;
    for (const way of ['to gateway', 'to client'] as const) {
      this.#stalled[way]?.resolve();
      this.#stalled[way] = null;
    }
    if (!this.#server.listening) await this.#listen();
  }

  async stop(): Promise<void> {
    await this.heal();
    const closed = once(this.#server, 'close');
    this.refuse();
    await closed;
  }

  async #listen(): Promise<void> {
    const listening = once(this.#server, 'listening');
    this.#server.listen(this.port, '127.0.0.1');
    await listening;
  }

  #join(client: Socket): void {
    const gateway = connect({ port: this.#targetPort, host: '127.0.0.1', allowHalfOpen: true });
    this.#forward(client, gateway, 'to gateway');
    this.#forward(gateway, client, 'to client');
  }

  #forward(from: Socket, to: Socket, way: Way): void {
    this.#sockets.add(from);
    const dropped = this.#dropped;
    let last = Promise.resolve();
    const later = (act: () => void) => {
      const due = performance.now() + this.#delayMs;
      last = last.then(async () => {
        await sleep(Math.max(0, due - performance.now()));
        await this.#stalled[way]?.promise;
        if (!to.destroyed && !dropped.isSo) act();
      });
    };
    from.on('data', (data) => later(() => to.write(data)));
    from.on('end', () => later(() => to.end()));
    // Broken on one side is broken on the other, at once.
    from.on('error', () => {
      if (!dropped.isSo) to.destroy();
    });
    from.on('close', (broken) => {
      this.#sockets.delete(from);
      if (broken && !dropped.isSo) to.destroy();
    });
  }
}
