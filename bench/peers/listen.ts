import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Listens on a free port, says where on stdout, and answers whoever waits until it is ready. */
export function listen(http: Server): void {
  const listeners = http.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[];
  http.removeAllListeners('request');
  http.on('request', (request, response) => {
    if (request.url === '/readyz') response.end();
    else for (const each of listeners) each(request, response);
  });
  http.listen(0, '127.0.0.1', () => {
    const { port } = http.address() as AddressInfo;
    process.stdout.write(`{"msg":"listening","url":"http://127.0.0.1:${port}"}\n`);
  });
  process.on('SIGTERM', () => process.exit(0));
}
