import { type Attack, ask, frame, request, say, speak } from './stage.ts';

const WHO = { query: '{ viewer { kind } }' };
const MUTATION = 'mutation { deleteAgent(id: "x") { __typename } }';
const MEGABYTE = 1024 * 1024;
const operation = { id: '1', type: 'subscribe', payload: WHO };
const post = (headers: string, body: string) =>
  `POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n\r\n${body}`;

/** Requests and messages that no honest client sends. */
export const traffic: Attack[] = [
  [
    'a body of more than a megabyte',
    (stage) => ask(stage, { body: { ...WHO, padding: 'x'.repeat(MEGABYTE) } }),
    '413 PAYLOAD_TOO_LARGE',
  ],
  [
    'a body that says it is a terabyte',
    (stage) => speak(stage, post('Content-Type: application/json\r\nContent-Length: 1099511627776', '{}')),
    'HTTP/1.1 413 Payload Too Large',
  ],
  [
    'a body that is shorter than it says',
    (stage) => speak(stage, post('Content-Type: application/json\r\nContent-Length: 99', '{}')),
    'HTTP/1.1 401 Unauthorized',
  ],
  [
    'two lengths',
    (stage) => speak(stage, post('Content-Length: 2\r\nContent-Length: 3', '{}')),
    'HTTP/1.1 400 Bad Request',
  ],
  [
    'a length and chunks',
    (stage) => speak(stage, post('Content-Length: 2\r\nTransfer-Encoding: chunked', '0\r\n\r\n')),
    'HTTP/1.1 400 Bad Request',
  ],
  [
    'chunks that are none',
    (stage) => speak(stage, post('Transfer-Encoding: chunked', 'zz\r\n')),
    'HTTP/1.1 400 Bad Request',
  ],
  [
    'headers that are too large',
    (stage) => speak(stage, post(`X-A: ${'x'.repeat(20_000)}`, '')),
    'HTTP/1.1 431 Request Header Fields Too Large',
  ],
  ['a header of two lines', (stage) => speak(stage, post('X-A: a\r\n b: c\u0000', '')), 'HTTP/1.1 400 Bad Request'],
  ['no HTTP', (stage) => speak(stage, Buffer.from([0x16, 0x03, 0x01, 0x00, 0xff, 0x01])), 'HTTP/1.1 400 Bad Request'],
  ['no JSON', (stage) => ask(stage, { body: '{' }), '400 BAD_REQUEST'],
  ['nothing', (stage) => ask(stage, { body: '' }), '400 BAD_REQUEST'],
  ['null', (stage) => ask(stage, { body: 'null' }), '400 BAD_REQUEST'],
  ['a number', (stage) => ask(stage, { body: '7' }), '400 BAD_REQUEST'],
  [
    'JSON of a hundred thousand levels',
    (stage) => ask(stage, { body: `{"query":"{__typename}","variables":{"a":${'['.repeat(1e5)}${']'.repeat(1e5)}}}` }),
    '200 "Query"',
  ],
  [
    'bytes that are no UTF-8',
    (stage) =>
      request(
        stage,
        Buffer.concat([
          Buffer.from(
            post(
              `Content-Type: application/json\r\nAuthorization: Bearer ${stage.tokens.owner}\r\nContent-Length: 14`,
              '{"query":"{',
            ),
          ),
          Buffer.from([0xff, 0xfe]),
          Buffer.from('"'),
        ]),
      ),
    'HTTP/1.1 400 Bad Request',
  ],
  [
    'a body that says it is compressed: it is not unpacked',
    (stage) => ask(stage, { body: WHO, headers: { 'Content-Encoding': 'gzip' } }),
    '200 {"kind":"OPERATOR"}',
  ],
  [
    'a form',
    (stage) =>
      ask(stage, { body: `query=${MUTATION}`, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }),
    '415 BAD_REQUEST',
  ],
  [
    'a file upload',
    (stage) => ask(stage, { body: '--x--', headers: { 'Content-Type': 'multipart/form-data; boundary=x' } }),
    '415 BAD_REQUEST',
  ],
  [
    'text',
    (stage) => ask(stage, { body: JSON.stringify(WHO), headers: { 'Content-Type': 'text/plain' } }),
    '415 BAD_REQUEST',
  ],
  [
    'a mutation by GET',
    (stage) =>
      ask(stage, {
        method: 'GET',
        path: `/graphql?query=${encodeURIComponent(MUTATION)}`,
        headers: { Accept: 'application/json' },
      }),
    '405 BAD_REQUEST',
  ],
  [
    'a subscription by GET',
    (stage) =>
      ask(stage, {
        method: 'GET',
        path: `/graphql?query=${encodeURIComponent('subscription { gatewayEvents { state } }')}`,
        headers: { Accept: 'application/json' },
      }),
    '406',
  ],
  [
    'a subscription as one answer',
    (stage) =>
      ask(stage, {
        body: { query: 'subscription { gatewayEvents { state } }' },
        headers: { Accept: 'application/json' },
      }),
    '406',
  ],
  ['a method that is none', (stage) => ask(stage, { method: 'PROPFIND' }), '405 BAD_REQUEST'],
  [
    'a path out of the folder',
    (stage) => speak(stage, 'GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
    'HTTP/1.1 404 Not Found',
  ],
  ['a frame without a mask', (stage) => frame(stage, [0x81, 0x02, 0x7b, 0x7d]), 'closed 1002'],
  ['a frame of a kind that is none', (stage) => frame(stage, [0x83, 0x80, 0, 0, 0, 0]), 'closed 1002'],
  ['a frame with reserved bits', (stage) => frame(stage, [0xf1, 0x80, 0, 0, 0, 0]), 'closed 1002'],
  ['a ping that is too long', (stage) => frame(stage, [0x89, 0xfe, 0x00, 0x7e, 0, 0, 0, 0]), 'closed 1002'],
  [
    'a frame that says it is an exabyte',
    (stage) => frame(stage, [0x81, 0xff, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    'closed 1009',
  ],
  ['text that is no UTF-8', (stage) => frame(stage, [0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe]), 'closed 1007'],
  ['no JSON over WebSocket', (stage) => say(stage, { messages: ['{'] }), 'closed 4400'],
  ['bytes over WebSocket', (stage) => say(stage, { messages: [Buffer.from([0, 1, 2, 255])] }), 'closed 4400'],
  ['a message of no kind', (stage) => say(stage, { messages: [{ type: 'start', id: '1' }] }), 'closed 4400'],
  [
    'an operation without an id',
    (stage) => say(stage, { messages: [{ type: 'subscribe', payload: WHO }] }),
    'closed 4400',
  ],
  [
    'an operation without a query',
    (stage) => say(stage, { messages: [{ id: '1', type: 'subscribe', payload: {} }] }),
    'closed 4400',
  ],
  [
    'an operation whose variables are a list',
    (stage) => say(stage, { messages: [{ id: '1', type: 'subscribe', payload: { ...WHO, variables: [1] } }] }),
    'closed 4400',
  ],
  ['an operation before the credential', (stage) => say(stage, { as: null, messages: [operation] }), 'closed 4401'],
  ['the credential twice', (stage) => say(stage, { messages: [{ type: 'connection_init' }] }), 'closed 4429'],
  [
    'the same id twice',
    (stage) =>
      say(stage, {
        messages: [
          { ...operation, id: '2', payload: { query: 'subscription { gatewayEvents { state } }' } },
          { ...operation, id: '2' },
        ],
      }),
    'closed 4409',
  ],
  ['a message of more than a megabyte', (stage) => say(stage, { messages: ['x'.repeat(MEGABYTE + 1)] }), 'closed 1009'],
  [
    'a message of a hundred thousand levels',
    (stage) =>
      say(stage, {
        messages: [
          `{"id":"1","type":"subscribe","payload":{"query":"{__typename}","variables":{"a":${'['.repeat(1e5)}${']'.repeat(1e5)}}}}`,
        ],
      }),
    'answered "Query"',
  ],
  [
    'a subscription with a variable of a hundred thousand levels that it does not use',
    (stage) =>
      say(stage, {
        messages: [
          `{"id":"1","type":"subscribe","payload":{"query":"subscription ($after: String) { agentEvents(after: $after) { __typename } }","variables":{"after":"0000000000000","a":${'['.repeat(1e5)}${']'.repeat(1e5)}}}}`,
        ],
      }),
    'answered AgentEvent',
  ],
  [
    'a sub-protocol of another kind',
    (stage) => say(stage, { as: null, protocol: 'graphql-ws', messages: [operation] }),
    'closed 1006',
  ],
  ['no sub-protocol', (stage) => say(stage, { as: null, protocol: [], messages: [operation] }), 'closed 4406'],
];
