import type { Fetch } from './download.ts';

const CONNECT_TIMEOUT_MS = 5_000;

/**
 * fetch with a time-out for connecting, which Node's own has no option for (undici’s documentation, "Client"). It is
 * loaded when it is first used, so that a start takes no longer.
 */
export function fetchFromWeb(): Fetch {
  let opening: Promise<Fetch> | undefined;
  const open = async (): Promise<Fetch> => {
    const { Agent, fetch } = await import('undici');
    // Requests are hours apart: no connection is kept.
    const dispatcher = new Agent({ connectTimeout: CONNECT_TIMEOUT_MS, pipelining: 0 });
    return (url, options) => fetch(url, { ...options, dispatcher });
  };
  return async (url, options) => {
    opening ??= open();
    return (await opening)(url, options);
  };
}
