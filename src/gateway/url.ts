import { GatewayClient } from '@openclaw/gateway-client';

/**
 * Why the official client would not connect to this URL, in one sentence; null when it would try. It refuses plain ws:// but to
 * loopback, private and link-local addresses, 100.64.0.0/10, *.local and *.ts.net; a name of a single label counts as public. With
 * `OPENCLAW_ALLOW_INSECURE_PRIVATE_WS=1` in the environment every name is let through, and public IP addresses are not
 * (`@openclaw/gateway-client` 2026.9.1).
 */
export function plaintextProblem(url: string): string | null {
  if (isAcceptedByClient(url)) return null;
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed?.protocol !== 'ws:' && parsed?.protocol !== 'http:')
    return 'The URL of a gateway begins with wss:// or ws://.';
  return `${parsed.protocol}//${parsed.host} may be public and is not encrypted, so that the token could be read on the way: use a wss:// URL, a tunnel to localhost, or the gateway's private IP address, .local or .ts.net name.`;
}

/**
 * Asks the client itself, which does not export its rule: it checks the URL, then calls `beforeConnect`, then opens a socket. An
 * error thrown there keeps it from opening one, and a TypeError from trying again.
 */
function isAcceptedByClient(url: string): boolean {
  let accepted = false;
  const client = new GatewayClient({
    url,
    deviceIdentity: null,
    hostDeps: {
      beforeConnect: () => {
        accepted = true;
        throw new TypeError('only the URL was to be checked');
      },
    },
  });
  client.start();
  client.stop();
  return accepted;
}
