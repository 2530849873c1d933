/** What came back for a request to /graphql that no well-behaved client would send. */
export interface RawAnswer {
  status: number;
  headers: Headers;
  text: string;
  /** Undefined when the answer is no JSON. */
  body: { data?: unknown; errors?: { message: string; extensions?: Record<string, unknown> }[] } | undefined;
}

export interface RawRequest {
  method?: string;
  /** What follows the server's address. Default /graphql */
  path?: string;
  /** Sent as Authorization: Bearer …; null sends none. */
  token?: string | null;
  headers?: Record<string, string>;
  /** Sent as it is; a query in the usual form when it is an object. */
  body?: string | object;
}

export async function rawRequest(url: string, request: RawRequest = {}): Promise<RawAnswer> {
  const { method = 'POST', path = '/graphql', token = null, headers = {}, body } = request;
  const response = await fetch(url + path, {
    method,
    redirect: 'manual',
    headers: {
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...(token !== null && { Authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parsed(text) };
}

function parsed(text: string): RawAnswer['body'] {
  try {
    return JSON.parse(text) as RawAnswer['body'];
  } catch {
    return undefined;
  }
}
