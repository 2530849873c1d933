import { expect, it } from 'vitest';
import { ANSWER_FAILURES } from '../../src/gateway/failures/answers.ts';
import { HANDSHAKE_FAILURES } from '../../src/gateway/failures/handshake.ts';
import { ruleFor } from '../../src/gateway/failures/table.ts';
import { TRANSPORT_FAILURES } from '../../src/gateway/failures/transport.ts';
import { faultOf } from '../../src/gateway/fault.ts';
import { ANSWERS, UNKNOWN } from './answers.ts';
import { HANDSHAKE } from './handshake.ts';
import { TRANSPORT } from './transport.ts';

const reasonsOf = (list: readonly { reason: string }[]) => list.map(({ reason }) => reason);

it.each([
  ['transport', TRANSPORT, TRANSPORT_FAILURES],
  ['handshake', HANDSHAKE, HANDSHAKE_FAILURES],
  ['answers', ANSWERS, ANSWER_FAILURES],
])('every rule for failures of %s has a row that shows its cause, in the same order', (_title, rows, rules) => {
  expect(reasonsOf(rows)).toEqual(reasonsOf(rules));
  for (const { reason, causes } of rows) expect(causes.length, reason).toBeGreaterThan(0);
});

it('so has what no rule knows', () => {
  const unknown = [
    { gatewayCode: 'SOMETHING_NEW', message: 'new', retryable: true },
    { gatewayCode: 'SOMETHING_NEW', message: 'new' },
    new Error('new'),
  ];
  expect(reasonsOf(UNKNOWN)).toEqual(unknown.map((thrown) => ruleFor(faultOf(thrown, null)).reason));
});
