import type { IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { clientAddress } from '../../src/http/client-address.ts';

const from = (remoteAddress: string | undefined, forwarded?: string) =>
  ({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } }) as unknown as IncomingMessage;

it.each<[string, number, string | undefined, string | undefined, string]>([
  ['the socket’s', 0, '192.0.2.1', undefined, '192.0.2.1'],
  ['the socket’s, whatever the caller writes', 0, '192.0.2.1', '198.51.100.7', '192.0.2.1'],
  ['what the one proxy has seen', 1, '10.0.0.1', '198.51.100.7', '198.51.100.7'],
  [
    'what the one proxy has seen, not what the caller wrote before it',
    1,
    '10.0.0.1',
    '1.2.3.4, 198.51.100.7',
    '198.51.100.7',
  ],
  ['what the outer of two proxies has seen', 2, '10.0.0.1', '1.2.3.4, 198.51.100.7,10.0.0.2', '198.51.100.7'],
  ['the only entry there is', 2, '10.0.0.1', '198.51.100.7', '198.51.100.7'],
  ['the socket’s, where the proxy says nothing', 1, '10.0.0.1', undefined, '10.0.0.1'],
  ['the socket’s, where the proxy says no address', 1, '10.0.0.1', 'unknown', '10.0.0.1'],
  ['IPv4 within IPv6 as IPv4', 0, '::ffff:192.0.2.1', undefined, '192.0.2.1'],
  ['the network of an IPv6 address', 0, '2001:db8:1:2:3:4:5:6', undefined, '20010db800010002'],
  ['the same for another address of it', 1, '10.0.0.1', '2001:db8:1:2::9', '20010db800010002'],
  ['one for all that have none', 0, undefined, undefined, 'unknown'],
])('is %s', (_title, proxies, socket, forwarded, address) => {
  expect(clientAddress(from(socket, forwarded), proxies)).toBe(address);
});
