import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';

/**
 * The address that a request comes from. Behind proxies it is what the outermost trusted one has seen: each of them adds the
 * address of its own caller at the right end of X-Forwarded-For, and what is left of those entries anybody may have written.
 *
 * @param trustedProxies how many proxies stand before this server
 */
export function clientAddress(request: IncomingMessage, trustedProxies: number): string {
  const forwarded = String(request.headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  const reported = trustedProxies > 0 ? forwarded.at(-Math.min(trustedProxies, forwarded.length)) : undefined;
  return known(reported) ?? known(request.socket.remoteAddress) ?? 'unknown';
}

/** To parse an address takes a twentieth of the time that a short request takes, and most come from a few. */
const networks = new LRUCache<string, { network: string | null }>({ max: 1_000 });

function known(text: string | undefined): string | null {
  if (text === undefined) return null;
  const found = networks.get(text) ?? { network: network(text) };
  networks.set(text, found);
  return found.network;
}

/** Of IPv6 the network of 64 bits: whoever has one address of it has them all. Null for what is no address. */
function network(text: string): string | null {
  if (!ipaddr.isValid(text)) return null;
  const address = ipaddr.process(text);
  if (address.kind() === 'ipv4') return address.toString();
  return Buffer.from(address.toByteArray().slice(0, 8)).toString('hex');
}
