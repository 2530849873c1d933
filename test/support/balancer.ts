import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP load balancer on loopback: each connection goes to the next of its servers that takes it. */
export class Balancer {
  readonly #server: Server;
  readonly #ports: number[];
  readonly #sockets = new Set<Socket>();
  #turn = 0;

  private constructor(ports: number[]) {
    this.#ports = ports;
    this.#server = createServer((client) => this.#join(client, this.#turn++, this.#ports.length));
  }

  /** @param urls of servers on loopback */
  static async create(urls: readonly string[]): Promise<Balancer> {
    const balancer = new Balancer(urls.map((url) => Number(new URL(url).port)));
    balancer.#server.listen(0, '127.0.0.1');
    await once(balancer.#server, 'listening');
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
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  #join(client: Socket, turn: number, tries: number): void {
    const port = this.#ports[turn % this.#ports.length] ?? 0;
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
