import type { Fault } from '../fault.ts';
import { ANSWER_FAILURES } from './answers.ts';
import { HANDSHAKE_FAILURES } from './handshake.ts';
import { lasting, passing, type Rule, SEE_LOG } from './rule.ts';
import { TRANSPORT_FAILURES } from './transport.ts';

// UNAVAILABLE, or the gateway's own word, makes a failure passing that no other rule knows.
const UNKNOWN_ANSWERS: readonly Rule[] = [
  {
    reason: 'unavailable',
    matches: (fault) => fault.retryable || fault.gatewayCode === 'UNAVAILABLE',
    ...passing,
    hint: SEE_LOG,
  },
  { reason: 'rejected', matches: (fault) => fault.gatewayCode !== null, ...lasting, hint: SEE_LOG },
];

const UNKNOWN_FAILURE: Rule = {
  reason: 'unreachable',
  matches: () => true,
  ...passing,
  hint: "Check the network between this server and the gateway's machine.",
};

/** Everything that was seen to go wrong, in the order in which it is tried. */
const FAILURES: readonly Rule[] = [
  ...TRANSPORT_FAILURES,
  ...HANDSHAKE_FAILURES,
  ...ANSWER_FAILURES,
  ...UNKNOWN_ANSWERS,
];

/** The rule that a fault falls under; there always is one. */
export function ruleFor(fault: Fault): Rule {
  return FAILURES.find((rule) => rule.matches(fault)) ?? UNKNOWN_FAILURE;
}
