import { describe, expect, test } from 'vitest';
import { AGENT_TOKEN_PREFIX, newToken, OPERATOR_TOKEN_PREFIX } from '../../src/access/tokens.ts';
import { agentTokenIn, maskTokens } from '../../src/provisioning/tokens.ts';

describe('maskTokens', () => {
  const token = `mca_${'aB3_-'.repeat(8)}xyz`;
  test.each([
    [`MISSION_CONTROL_TOKEN=${token}\n`, 'MISSION_CONTROL_TOKEN=mca_********\n'],
    [`${token} ${token}`, 'mca_******** mca_********'],
    [`"${token.replace('mca', 'mco')}"`, '"mco_********"'],
    [`x${token}yz/`, 'xmca_********/'],
    ['mca_short and mca_ alone', 'mca_short and mca_ alone'],
    ['', ''],
  ])('%j becomes %j', (text, masked) => {
    expect(maskTokens(text)).toBe(masked);
    expect(maskTokens(masked)).toBe(masked);
  });

  test('finds every token that this server makes', () => {
    for (let i = 0; i < 200; i++) {
      expect(maskTokens(newToken(AGENT_TOKEN_PREFIX))).toBe('mca_********');
      expect(maskTokens(newToken(OPERATOR_TOKEN_PREFIX))).toBe('mco_********');
    }
  });

  test('masks other secrets when they are named, the longest first', () => {
    expect(maskTokens('gw-secret-2 and gw-secret', ['', 'gw-secret', 'gw-secret-2'])).toBe('******** and ********');
  });
});

describe('agentTokenIn', () => {
  const token = `mca_${'aB3_-'.repeat(8)}xyz`;
  test.each([
    [`x\nMISSION_CONTROL_TOKEN=${token}\ny`, token],
    [`MISSION_CONTROL_TOKEN=${token}\r\n`, token],
    ['MISSION_CONTROL_TOKEN=mca_********', null],
    [`say MISSION_CONTROL_TOKEN=${token}`, null],
    [`MISSION_CONTROL_TOKEN=${token}x`, null],
    ['', null],
  ])('of %j is %j', (text, found) => {
    expect(agentTokenIn(text)).toBe(found);
  });
});
