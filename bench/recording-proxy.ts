import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket, { WebSocketServer } from 'ws';

export interface RecordedRequest {
  method: string;
  /** When it was sent and how long its answer took, in milliseconds. */
  at: number;
  durationMs: number | null;
}

export interface RecordingProxy {
  /** Connect here instead of to the gateway. */
  url: string;
  /** All requests since `forget`, in the order in which they were sent. */
  requests(): RecordedRequest[];
  forget(): void;
  stop(): Promise<void>;
}

/** How long a request keeps the gateway's one thread busy, in milliseconds. */
export type ServiceTime = (method: string, params: Record<string, unknown>) => number;

/**
 * Stands between a client and a gateway, passes everything on as it is, and notes the requests.
 * @param serviceTime for a simulated gateway, which does everything at once: requests then wait for each other
 */
export async function startRecordingProxy(gatewayUrl: string, serviceTime?: ServiceTime): Promise<RecordingProxy> {
  let requests = new Map<string, RecordedRequest>();
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, maxPayload: 64 * 2 ** 20 });
  let connections = 0;
  let served: Promise<unknown> = Promise.resolve();

  server.on('connection', (client) => {
    const connection = ++connections;
    const gateway = new WebSocket(gatewayUrl, { maxPayload: 64 * 2 ** 20 });
    const waiting: string[] = [];
    client.on('message', (data) => {
      const text = String(data);
      const frame = frameOf(text);
      if (frame.type === 'req')
        requests.set(`${connection} ${frame.id}`, {
          method: frame.method ?? '',
          at: performance.now(),
          durationMs: null,
        });
      const pass = () => {
        if (gateway.readyState === WebSocket.OPEN) gateway.send(text);
        else waiting.push(text);
      };
      if (!serviceTime) pass();
      else served = served.then(() => sleep(serviceTime(frame.method ?? '', frame.params ?? {}))).then(pass);
    });
    gateway.on('open', () => {
      for (const text of waiting.splice(0)) gateway.send(text);
    });
    gateway.on('message', (data) => {
      const text = String(data);
      const answered = text.startsWith('{"type":"event"')
        ? undefined
        : requests.get(`${connection} ${frameOf(text).id}`);
      if (answered) answered.durationMs = performance.now() - answered.at;
      client.send(text);
    });
    client.on('close', () => gateway.terminate());
    gateway.on('close', (code, reason) => {
      if (code >= 1000 && code < 5000 && code !== 1005 && code !== 1006) client.close(code, reason);
      else client.terminate();
    });
    client.on('error', () => gateway.terminate());
    gateway.on('error', () => client.terminate());
  });

  await new Promise<void>((resolve, reject) => server.once('listening', resolve).once('error', reject));
  const { port } = server.address() as AddressInfo;
  return {
    url: `ws://127.0.0.1:${port}`,
    requests: () => [...requests.values()],
    forget() {
      requests = new Map();
    },
    async stop() {
      for (const client of server.clients) client.terminate();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

interface Frame {
  type?: string;
  id?: string;
  method?: string;
  params?: Record<string, unknown>;
}

function frameOf(text: string): Frame {
  // Both sides speak OpenClaw's protocol.
  return JSON.parse(text) as Frame;
}
