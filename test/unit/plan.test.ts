import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashToken } from '../../src/access/tokens.ts';
import type { AgentRequest } from '../../src/generated/prisma/client.ts';
import { decideToken, divideWork, wantedEntry } from '../../src/provisioning/plan.ts';

describe('the work of a run', () => {
  const agent = fc.record({
    openclawAgentId: fc.constantFrom('a', 'b', 'c', 'd'),
    deletionRequestedAt: fc.option(fc.date()),
  });
  const agents = fc.array(agent, { maxLength: 12 });
  const leavingOf = (all: { openclawAgentId: string; deletionRequestedAt: Date | null }[]) =>
    new Set(all.filter((one) => one.deletionRequestedAt).map((one) => one.openclawAgentId));

  it('has each agent that is due exactly once, but those that wait for another to leave', () => {
    fc.assert(
      fc.property(agents, agents, (due, others) => {
        const leaving = leavingOf([...due, ...others]);
        const { remove, provision } = divideWork(due, leaving);
        const waiting = due.filter((one) => one.deletionRequestedAt === null && leaving.has(one.openclawAgentId));
        expect([...remove, ...provision, ...waiting]).toHaveLength(due.length);
        expect(new Set([...remove, ...provision, ...waiting])).toEqual(new Set(due));
        expect(remove.every((one) => one.deletionRequestedAt !== null)).toBe(true);
        expect(provision.every((one) => one.deletionRequestedAt === null)).toBe(true);
      }),
    );
  });

  it('never registers an agent whose place another one has not left yet, due or not', () => {
    fc.assert(
      fc.property(agents, agents, (due, others) => {
        const leaving = leavingOf([...due, ...others]);
        const { provision } = divideWork(due, leaving);
        expect(provision.some((one) => leaving.has(one.openclawAgentId))).toBe(false);
      }),
    );
  });

  it('is nothing when nothing is due', () => {
    expect(divideWork([], new Set(['a']))).toEqual({ remove: [], provision: [] });
  });
});

describe('the token of an agent', () => {
  const found = (token: string) => ({ token, hash: hashToken(token) });
  const known = (tokenHash: string | null, previousTokenHash: string | null = null, requests: AgentRequest[] = []) => ({
    tokenHash,
    previousTokenHash,
    requests,
  });
  const [one, two, strange] = [found('one'), found('two'), found('strange')];

  it.each([
    ['nothing anywhere', known(null), null, { kind: 'issue', stillValid: null }],
    ['it is in the workspace', known(one.hash), one, { kind: 'keep', token: 'one' }],
    [
      'it is in the workspace, and the one before still works',
      known(two.hash, one.hash),
      two,
      { kind: 'keep', token: 'two' },
    ],
    ['killed before it was written first', known(one.hash), null, { kind: 'issue', stillValid: one.hash }],
    [
      'killed before it was written over another',
      known(two.hash, one.hash),
      one,
      { kind: 'issue', stillValid: one.hash },
    ],
    ['the workspace has lost it', known(two.hash, one.hash), null, { kind: 'issue', stillValid: one.hash }],
    ['the workspace has a strange one', known(one.hash), strange, { kind: 'issue', stillValid: one.hash }],
    ['a new one is asked for', known(one.hash, null, ['ROTATE_TOKEN']), one, { kind: 'issue', stillValid: one.hash }],
    [
      'a new one is asked for, and one was never written',
      known(two.hash, one.hash, ['ROTATE_TOKEN']),
      one,
      { kind: 'issue', stillValid: one.hash },
    ],
    ['an adopted agent with a strange one', known(null), strange, { kind: 'issue', stillValid: null }],
  ] as const)('%s', (_title, agent, inWorkspace, decision) => {
    expect(decideToken(agent, inWorkspace)).toEqual(decision);
  });

  /** What a run does, step by step, and where it may be killed; in the order of provision-documents.ts. */
  type Step = 'look' | 'issue' | 'write' | 'settle';
  const steps: Step[] = ['look', 'issue', 'write', 'settle'];

  it('works at every moment from the first write on, wherever runs are killed', () => {
    const run = fc.record({
      /** The step after which the run is killed; 4: it is not. */
      killedAfter: fc.integer({ min: 0, max: 4 }),
      /** Whether an operator has asked for a new one before this run. */
      rotate: fc.boolean(),
      /** The run is killed in the middle of the write: it was done, and nobody was told. */
      lostAnswer: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(run, { maxLength: 12 }), (runs) => {
        let agent = known(null);
        let workspace: string | null = null;
        let next = 0;
        const valid = () =>
          workspace === null || [agent.tokenHash, agent.previousTokenHash].includes(hashToken(workspace));
        for (const { killedAfter, lostAnswer, rotate } of runs) {
          if (rotate) agent = { ...agent, requests: ['ROTATE_TOKEN'] };
          let token: string | null = null;
          for (const [index, step] of steps.entries()) {
            const dies = index >= killedAfter;
            if (dies && !(lostAnswer && step === 'write')) break;
            if (step === 'issue') {
              const decision = decideToken(agent, workspace === null ? null : found(workspace));
              if (decision.kind === 'keep') token = decision.token;
              else {
                token = `token ${next++}`;
                agent = known(hashToken(token), decision.stillValid);
              }
            }
            if (step === 'write' && token !== null) workspace = token;
            if (step === 'settle') agent = known(agent.tokenHash);
            expect(valid()).toBe(true);
            if (dies) break;
          }
        }
        // A run that is not killed ends with one token, the one in the workspace.
        const decision = decideToken(agent, workspace === null ? null : found(workspace));
        const token: string = decision.kind === 'keep' ? decision.token : 'last';
        if (decision.kind === 'issue' && workspace !== null) expect(decision.stillValid).toBe(hashToken(workspace));
        expect(decideToken(known(hashToken(token)), found(token))).toEqual({ kind: 'keep', token });
      }),
      { numRuns: 500 },
    );
  });
});

describe('the entry of an agent', () => {
  const base = {
    name: 'Fox',
    workspacePath: '/w/workspace-mc-1',
    identityProfile: {},
    heartbeatEnabled: true,
    heartbeatIntervalSeconds: 300,
    isManaged: true,
    status: 'READY',
  } as unknown as Parameters<typeof wantedEntry>[0];

  it('names it, its place and its heartbeat', () => {
    expect(wantedEntry(base)).toEqual({
      name: 'Fox',
      workspace: '/w/workspace-mc-1',
      identity: { name: 'Fox', emoji: null },
      heartbeat: { every: '300s', target: 'none' },
    });
    expect(wantedEntry({ ...base, identityProfile: { emoji: '🦊' } }).identity).toEqual({ name: 'Fox', emoji: '🦊' });
  });

  it.each([
    [`\${OPENAI_API_KEY}`, '$ {OPENAI_API_KEY}'],
    [`the \${HOME} of \${USER}`, 'the $ {HOME} of $ {USER}'],
    [`$\${HOME}`, '$$ {HOME}'],
    ['$ {HOME}', '$ {HOME}'],
    ['$HOME', '$HOME'],
    ['{HOME} for $5', '{HOME} for $5'],
  ])('has nothing in the place of which OpenClaw puts a variable of its environment: %s', (text, written) => {
    const { name, identity } = wantedEntry({ ...base, name: text, identityProfile: { emoji: text } });
    expect({ name, identity }).toEqual({ name: written, identity: { name: written, emoji: written } });
    expect(wantedEntry({ ...base, name: text, isManaged: false }).name).toBe(written);
  });

  it('leaves alone who an adopted agent is', () => {
    expect(wantedEntry({ ...base, isManaged: false })).not.toHaveProperty('identity');
  });

  it('has no heartbeats when they are off or the agent is paused', () => {
    expect(wantedEntry({ ...base, heartbeatEnabled: false }).heartbeat.every).toBe('0m');
    expect(wantedEntry({ ...base, status: 'PAUSED' }).heartbeat.every).toBe('0m');
  });
});
