/** What is used of fetch, Node's or another one. */
export type Fetch = (
  url: string,
  options: { redirect: 'manual'; signal: AbortSignal; headers: Record<string, string> },
) => Promise<FetchedResponse>;

interface FetchedResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: AsyncIterable<Uint8Array> | null;
}

/** The server could not be reached or did not answer as it should; it may do so later. The message is a part of a sentence. */
class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** The server has answered, with something that is not taken. The message is a part of a sentence. */
export class UnusableAnswer extends Error {
  override readonly name = 'UnusableAnswer';
}

const MOST_REDIRECTS = 3;

/**
 * Reads a text from the web, without sending more than its address.
 *
 * @param maxBytes of the text, unpacked. More is not read.
 * @param signal when it aborts, so does the download
 * @throws Unreachable, UnusableAnswer
 */
export async function download(fetch: Fetch, url: string, maxBytes: number, signal: AbortSignal): Promise<string> {
  try {
    const response = await follow(fetch, new URL(url), signal);
    if (/^text\/html\b/i.test(response.headers.get('content-type') ?? ''))
      throw new UnusableAnswer('is a page of HTML');
    return decode(await read(response, maxBytes));
  } catch (error) {
    if (error instanceof Unreachable || error instanceof UnusableAnswer) throw error;
    throw new Unreachable(reasonOf(error));
  }
}

/** The answer of the same host, wherever it leads on its own ground. */
async function follow(fetch: Fetch, url: URL, signal: AbortSignal): Promise<FetchedResponse> {
  for (let hops = 0; ; hops++) {
    const headers = { accept: 'text/markdown, text/plain, application/xml, text/xml', 'user-agent': 'mission-control' };
    const response = await fetch(url.href, { redirect: 'manual', signal, headers });
    if (response.status === 200) return response;
    await discard(response);
    const location = response.headers.get('location');
    if (response.status < 300 || response.status > 399 || location === null) throw refusalOf(response.status);
    const next = URL.parse(location, url);
    const staysThere = next?.host === url.host && (next.protocol === url.protocol || next.protocol === 'https:');
    if (!next || !staysThere) throw new UnusableAnswer('is redirected to another host');
    if (hops === MOST_REDIRECTS) throw new UnusableAnswer('is redirected again and again');
    url = next;
  }
}

function refusalOf(status: number): Error {
  const isFinal = status >= 400 && status < 500 && status !== 408 && status !== 429;
  return isFinal
    ? new UnusableAnswer(`is answered with the status ${status}`)
    : new Unreachable(`answers with ${status}`);
}

async function discard({ body }: FetchedResponse): Promise<void> {
  await body?.[Symbol.asyncIterator]().return?.();
}

async function read({ body }: FetchedResponse, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new UnusableAnswer(`has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UnusableAnswer('is not in UTF-8');
  }
}

/** fetch hides what happened behind "fetch failed". */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'does not answer in time';
  const { cause } = error;
  if (cause instanceof Error) return ('code' in cause && String(cause.code)) || cause.message || cause.name;
  return error.message;
}
