/** An answer for programs is no page: nothing in it may run or load, nor be shown in a frame. */
const NOTHING_LOADS = "default-src 'none'; frame-ancestors 'none'";

const A_YEAR_SECONDS = 31_536_000;

/**
 * The headers of every answer. Browsers are told to take it for what it says that it is, to keep no copy, to let no other
 * origin embed it, and to tell no other origin where they come from. GraphiQL's page has a content policy of its own.
 *
 * @param overHttps whether clients reach this server by https only
 */
export function securityHeaders(overHttps: boolean): ReadonlyMap<string, string> {
  return new Map([
    ['X-Content-Type-Options', 'nosniff'],
    ['Cache-Control', 'no-store'],
    ['Content-Security-Policy', NOTHING_LOADS],
    ['X-Frame-Options', 'DENY'],
    ['Referrer-Policy', 'no-referrer'],
    ['Cross-Origin-Opener-Policy', 'same-origin'],
    ['Cross-Origin-Embedder-Policy', 'require-corp'],
    // Pages of CORS_ORIGINS are not concerned: what they fetch is governed by CORS.
    ['Cross-Origin-Resource-Policy', 'same-origin'],
    ...(overHttps ? [['Strict-Transport-Security', `max-age=${A_YEAR_SECONDS}`] as const] : []),
  ]);
}
