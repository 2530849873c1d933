import type { IncomingMessage } from 'node:http';

/** The path that a request asks for, without its query. Some request lines (`GET //`) are no URL: they ask for nothing. */
export function pathOf({ url = '/' }: IncomingMessage): string {
  return URL.parse(url, 'http://server')?.pathname ?? '';
}
