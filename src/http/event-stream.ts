import type { ExecutionResult } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { toCursor } from '../events/cursor.ts';
import { originOf } from './live-results.ts';

const MEDIA_TYPE = 'text/event-stream';
/** So that neither side, nor a proxy in between, takes a quiet stream for a dead one. */
const PING_MS = 12_000;

/**
 * Subscriptions over server-sent events, with the cursor of each event as its id. A client that connects again sends the
 * latest one as Last-Event-ID, and goes on after it.
 */
export function streamEvents(): Plugin {
  return {
    onResultProcess({ request, result, setResultProcessor }) {
      const isStream = !Array.isArray(result) && Symbol.asyncIterator in result;
      const accept = request.headers.get('accept') ?? '';
      if (isStream && (accept.includes(MEDIA_TYPE) || accept.includes('*/*') || accept === ''))
        setResultProcessor(respond, MEDIA_TYPE);
    },
  };
}

type SetResultProcessor = Parameters<NonNullable<Plugin['onResultProcess']>>[0]['setResultProcessor'];

const respond: Parameters<SetResultProcessor>[0] = (result, fetchAPI) => {
  const results = (result as AsyncIterable<ExecutionResult>)[Symbol.asyncIterator]();
  const encoder = new fetchAPI.TextEncoder();
  let ping: NodeJS.Timeout | undefined;
  const stream = new fetchAPI.ReadableStream<Uint8Array>({
    start(controller) {
      const comment = () => controller.enqueue(encoder.encode(':\n\n'));
      // At once: some clients show nothing of an answer before its first byte.
      comment();
      ping = setInterval(() => (controller.desiredSize ?? 0) > 0 && comment(), PING_MS);
    },
    async pull(controller) {
      const { value, done } = await results.next();
      if (!done) return controller.enqueue(encoder.encode(textOf(value)));
      clearInterval(ping);
      controller.enqueue(encoder.encode('event: complete\ndata:\n\n'));
      controller.close();
    },
    async cancel() {
      clearInterval(ping);
      await results.return?.();
    },
  });
  const headers = { 'Content-Type': MEDIA_TYPE, 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' };
  return new fetchAPI.Response(stream, { headers });
};

function textOf(result: ExecutionResult): string {
  const origin = originOf(result);
  if (!origin) return `event: next\ndata: ${JSON.stringify(result)}\n\n`;
  return `id: ${toCursor(origin.seq)}\nevent: next\ndata: ${origin.told.text}\n\n`;
}
