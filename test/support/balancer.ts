import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** How often it asks whether its servers are ready, when it does, in ms. */
const LOOK_EVERY_MS = 100;

/** A TCP load balancer on loopback: each connection goes to the next of its servers that takes it. */
export class Balancer {
  readonly #server: Server;
  readonly #ports: number[];
  readonly #sockets = new Set<Socket>();
  /** Those that have said on /readyz that they are not. */
  readonly #unready = new Set<number>();
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;

  private constructor(ports: number[]) {
    this.#ports = ports;
    this.#server = createServer((client) => this.#join(client, this.#turn++, this.#ports.length));
  }

  /**
   * @param urls of servers on loopback
   * @param looks whether it asks them for /readyz, and leaves out those that are not ready
   */
  static async create(urls: readonly string[], { looks = false } = {}): Promise<Balancer> {
    const balancer = new Balancer(urls.map((url) => Number(new URL(url).port)));
    balancer.#server.listen(0, '127.0.0.1');
    await once(balancer.#server, 'listening');
    if (looks) balancer.#timer = setInterval(() => void balancer.#look(), LOOK_EVERY_MS);
    return balancer;
  }

  /** http://… */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Connections that are open to the server at this URL. */
  openTo(url: string): number {
    const port = Number(new URL(url).port);
    return [...this.#sockets].filter(({ remotePort }) => remotePort === port).length;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  async #look(): Promise<void> {
    const looks = this.#ports.map(async (port) => {
      const isReady = await fetch(`http://127.0.0.1:${port}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isReady) this.#unready.delete(port);
      else this.#unready.add(port);
    });
    await Promise.all(looks);
  }

  #join(client: Socket, turn: number, tries: number): void {
    const port = this.#ports[turn % this.#ports.length] ?? 0;
    if (this.#unready.has(port) && tries > 1) {
      this.#join(client, turn + 1, tries - 1);
      return;
    }
    const server = connect(port, '127.0.0.1');
    const refused = () => (tries > 1 ? this.#join(client, turn + 1, tries - 1) : client.destroy());
    client.pause();
    server.once('error', refused);
    server.once('connect', () => {
      server.off('error', refused);
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => to.destroy());
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
        from.pipe(to);
      }
    });
  }
}
