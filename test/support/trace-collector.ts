import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

/** A span as OTLP has it in JSON. */
export interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  /** 1 internal, 2 server, 3 client. */
  kind: number;
  attributes: { key: string; value: { stringValue?: string; intValue?: number } }[];
  status: { code?: number };
}

interface Export {
  resourceSpans: { resource: Pick<Span, 'attributes'>; scopeSpans: { spans: Span[] }[] }[];
}

/** Takes traces over HTTP, as a collector of OpenTelemetry does. */
export class TraceCollector {
  readonly spans: Span[] = [];
  /** All that has come, as it has come. */
  text = '';
  readonly resources: string[] = [];
  readonly requests: { url: string | undefined; authorization: string | undefined }[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const { authorization } = request.headers;
      this.requests.push({ url: request.url, authorization });
      const { resourceSpans } = (await json(request)) as Export;
      this.text += JSON.stringify(resourceSpans);
      for (const { resource, scopeSpans } of resourceSpans) {
        this.resources.push(textOf(resource, 'service.name') ?? '');
        for (const { spans } of scopeSpans) this.spans.push(...spans);
      }
      response.setHeader('Content-Type', 'application/json').end('{}');
    });
  }

  static async start(): Promise<TraceCollector> {
    const collector = new TraceCollector();
    await new Promise<void>((resolve) => collector.#server.listen(0, '127.0.0.1', resolve));
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

/** An attribute that is a text. */
export function textOf({ attributes }: Pick<Span, 'attributes'>, name: string): string | undefined {
  return attributes.find(({ key }) => key === name)?.value.stringValue;
}
