import type { IncomingMessage } from 'node:http';
import { GraphQLError } from 'graphql';

export const tooLarge = (limit: number): string => `The request has more than ${limit} bytes.`;

/** Whether the request says itself that it is too large. Node holds it to what it says. */
export function isTooLarge(request: IncomingMessage, limit: number): boolean {
  return Number(request.headers['content-length'] ?? 0) > limit;
}

/** Makes a request that does not say how large it is fail for whoever reads it, once it has proved too large. */
export function limitBody(request: IncomingMessage & { body?: unknown }, limit: number): void {
  // yoga reads `body` in place of the request itself; it wants an object with a property.
  if ('transfer-encoding' in request.headers)
    request.body = { request, [Symbol.asyncIterator]: () => read(request, limit) };
}

async function* read(request: IncomingMessage, limit: number): AsyncGenerator<Buffer> {
  let size = 0;
  // The connection stays open for the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += (chunk as Buffer).length;
    if (size > limit) {
      request.resume();
      const extensions = { code: 'PAYLOAD_TOO_LARGE', http: { status: 413 } };
      throw new GraphQLError(tooLarge(limit), { extensions });
    }
    yield chunk as Buffer;
  }
}
