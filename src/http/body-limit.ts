import type { IncomingMessage } from 'node:http';
import { GraphQLError } from 'graphql';

/** Bytes that a request may have. The largest input that is accepted, an agent with two templates, takes a fifth. */
const LARGEST_BODY = 1024 * 1024;

export const TOO_LARGE = `The request has more than ${LARGEST_BODY} bytes.`;

/** Whether the request says itself that it is too large. Node holds it to what it says. */
export function isTooLarge(request: IncomingMessage): boolean {
  return Number(request.headers['content-length'] ?? 0) > LARGEST_BODY;
}

/** Makes a request that does not say how large it is fail for whoever reads it, once it has proved too large. */
export function limitBody(request: IncomingMessage & { body?: unknown }): void {
  // yoga reads `body` in place of the request itself; it wants an object with a property.
  if ('transfer-encoding' in request.headers) request.body = { request, [Symbol.asyncIterator]: () => read(request) };
}

async function* read(request: IncomingMessage): AsyncGenerator<Buffer> {
  let size = 0;
  // The connection stays open for the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += (chunk as Buffer).length;
    if (size > LARGEST_BODY) {
      request.resume();
      const extensions = { code: 'PAYLOAD_TOO_LARGE', http: { status: 413 } };
      throw new GraphQLError(TOO_LARGE, { extensions });
    }
    yield chunk as Buffer;
  }
}
