import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import { expect } from 'vitest';
import { GatewayConnection } from '../../src/gateway/connection.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';
import { cert, key } from '../gateway/certificate.ts';
import { ScriptedGateway, silentLog } from '../gateway/scripted-gateway.ts';
import { CreateGateway } from '../support/documents.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';

/** What an operator gives for a gateway. */
export interface Address {
  url: string;
  /** Null for none. @default SECRET */
  token?: string | null;
  tlsFingerprint?: string | null;
  /** Where it keeps workspaces; for what keeps none it does not matter. */
  stateDir?: string;
}

/** No sentence may ever show it. */
export const SECRET = 'the-gateway-token-that-nobody-may-see';

/** One server, and whatever it is told to connect to: gateways, and what is none. All of it ends together. */
export class Stage {
  readonly mc: MissionControl;
  readonly #ends: (() => Promise<unknown>)[] = [];
  #gateways = 0;

  private constructor(mc: MissionControl) {
    this.mc = mc;
  }

  /** @param settings environment variables of the server */
  static async open(settings: Record<string, string> = {}): Promise<Stage> {
    return new Stage(await startMissionControl(settings));
  }

  async close(): Promise<void> {
    await this.mc.stop();
    for (const end of this.#ends.splice(0).reverse()) await end();
  }

  /** A simulated gateway that takes `SECRET` as its token. */
  async simulator(options: SimulatorOptions = {}): Promise<Simulator> {
    const gateway = await startSimulator({ token: SECRET, ...options });
    this.#ends.push(() => gateway.stop());
    return gateway;
  }

  /** A simulated gateway behind TLS, with a certificate that nobody vouches for. */
  async tlsGateway(): Promise<Simulator> {
    const gateway = await this.simulator();
    const server = createTlsServer({ key, cert }, (socket) => {
      pipeline(socket, connect(gateway.port, '127.0.0.1'), socket, () => undefined); // a side that leaves ends the other
    });
    // A client that does not speak TLS, or does not like the certificate.
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    this.#ends.push(() => closed(server));
    return { ...gateway, url: `wss://${await listening(server)}` };
  }

  /** A gateway of which the test says everything. */
  async scripted(): Promise<ScriptedGateway> {
    const gateway = await new ScriptedGateway().start();
    this.#ends.push(() => gateway.stop());
    return gateway;
  }

  /** Something on a port of loopback that is no gateway. @returns its host and port */
  async listener(onConnection: (socket: Socket) => void): Promise<string> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      // Peers leave as they like.
      socket.on('error', () => socket.destroy());
      onConnection(socket);
    });
    this.#ends.push(async () => {
      for (const socket of sockets) socket.destroy();
      await closed(server);
    });
    return listening(server);
  }

  /** A web server that answers everything with this status. @returns its host and port */
  async webServer(status: number): Promise<string> {
    const server = createHttpServer((_request, response) => response.writeHead(status).end());
    this.#ends.push(() => closed(server));
    return listening(server);
  }

  /** A connection of the test's own, below the API; not opened yet. */
  connection({ url, token = SECRET, tlsFingerprint = null }: Address): GatewayConnection {
    const connection = new GatewayConnection({
      target: { id: url, url, token, tlsFingerprint, allowInsecureTls: false, device: null, deviceToken: null },
      log: silentLog,
      onInfo: () => undefined,
      onEvent: () => undefined,
    });
    this.#ends.push(() => connection.close());
    return connection;
  }

  /** Adds a gateway as an operator does. @returns its id */
  async add(address: Address): Promise<string> {
    const created = await this.#create(address);
    return created.__typename === 'Gateway' ? created.id : expect.fail(JSON.stringify(created));
  }

  /** What is said of the fields of a gateway that cannot be added. */
  async fieldsRefused(address: Address): Promise<{ path: string; message: string }[]> {
    const created = await this.#create(address);
    return created.__typename === 'ValidationError' ? created.fields : expect.fail(JSON.stringify(created));
  }

  async #create({ url, token = SECRET, tlsFingerprint = null, stateDir = '/workspaces' }: Address) {
    this.#gateways += 1;
    const name = `Gateway ${this.#gateways}`;
    const input = { name, url, token, workspaceRoot: stateDir, tlsFingerprint };
    return (await this.mc.owner.run(CreateGateway, { input })).createGateway;
  }
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  // Listening on a port, the address is none of a pipe.
  const { port } = server.address() as AddressInfo;
  return `127.0.0.1:${port}`;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error ? reject(error) : resolve()));
  });
}
