import type { IncomingMessage } from 'node:http';

/** Of letters only: nothing in it is encoded, or stands for something else. */
const PATH = /^\/[A-Za-z]*$/;

/** The path that a request asks for, without its query. Some request lines (`GET //`) are no URL: they ask for nothing. */
export function pathOf({ url = '/' }: IncomingMessage): string {
  // Nearly all of them: what is a path already.
  if (PATH.test(url)) return url;
  return URL.parse(url, 'http://server')?.pathname ?? '';
}
