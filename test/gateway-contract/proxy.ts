import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface RunningProxy {
  url: string;
  stop(): Promise<void>;
}

/** A proxy on loopback before a gateway, which tells that its clients come from another host. */
export async function startProxy(gatewayUrl: string, from = '203.0.113.9'): Promise<RunningProxy> {
  const port = Number(new URL(gatewayUrl).port);
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const gateway = connect(port, '127.0.0.1');
    for (const socket of [client, gateway]) {
      open.add(socket);
      socket.on('error', () => undefined); // Its end is passed on; how it came to that is seen on the other side.
      socket.on('close', () => {
        open.delete(socket);
        client.destroy();
        gateway.destroy();
      });
    }
    client.once('data', (head) => {
      gateway.write(head.toString('latin1').replace('\r\n', `\r\nX-Forwarded-For: ${from}\r\n`), 'latin1');
      client.pipe(gateway);
    });
    gateway.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
