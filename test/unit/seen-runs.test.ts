import { describe, expect, it } from 'vitest';
import { SeenRuns } from '../../src/fleet/seen-runs.ts';
import type { Fact } from '../../src/gateway/observation.ts';

const at = new Date('2026-11-28T12:00:00Z');
const later = (minutes: number) => new Date(at.getTime() + minutes * 60_000);
const started = (runId: string | null, isHeartbeat = false, startedAt = at): Fact => {
  return { kind: 'run-started', agentId: 'a', runId, isHeartbeat, at: startedAt };
};
const ended = (runId: string | null, outcome: 'ok' | 'error' | 'skipped' = 'ok'): Fact => {
  return { kind: 'run-ended', agentId: 'a', runId, isHeartbeat: false, outcome, error: null, at };
};
const goesOn = (runId: string | null): Fact => ({ kind: 'run-active', agentId: 'a', runId, at });
const listed = (...running: string[]): Fact => ({ kind: 'runs-listed', running, ended: [], at });

describe('what runs at a gateway say of an agent', () => {
  it.each<[string, Fact[], (string | null)[]]>([
    ['a run', [started('1'), ended('1')], ['ACTIVE', 'IDLE']],
    ['a run that fails', [started('1'), ended('1', 'error')], ['ACTIVE', 'IDLE']],
    [
      'a run told twice over',
      [started('1'), started('1'), ended('1'), ended('1')],
      ['ACTIVE', 'ACTIVE', 'IDLE', 'IDLE'],
    ],
    ['two runs at once', [started('1'), started('2'), ended('1'), ended('2')], ['ACTIVE', 'ACTIVE', 'ACTIVE', 'IDLE']],
    ['a run whose beginning was not heard', [goesOn('1'), ended('1')], ['ACTIVE', 'IDLE']],
    ['a beat that is skipped', [started(null, true), ended(null, 'skipped')], [null, null]],
    ['a beat', [started(null, true), started('1'), ended('1'), ended(null)], [null, 'ACTIVE', 'IDLE', 'IDLE']],
    ['a run of a list, which has no name there', [listed('a'), ended('1')], ['ACTIVE', 'IDLE']],
    [
      'a run whose beginning is told again after its end',
      [started('1'), ended('1'), started('1'), goesOn('1'), ended('1')],
      ['ACTIVE', 'IDLE', null, null, 'IDLE'],
    ],
    [
      'a run that begins again',
      [started('1'), ended('1'), started('1', false, later(1)), ended('1')],
      ['ACTIVE', 'IDLE', 'ACTIVE', 'IDLE'],
    ],
    [
      'a run that goes on after the connection was lost',
      [started('1'), ended('1'), listed('a'), goesOn('1'), ended('1')],
      ['ACTIVE', 'IDLE', 'ACTIVE', 'ACTIVE', 'IDLE'],
    ],
    ['a list without it', [started('1'), listed(), started('2'), ended('2')], ['ACTIVE', null, 'ACTIVE', 'IDLE']],
  ])('%s', (_, facts, statuses) => {
    const runs = new SeenRuns();
    expect(facts.map((fact) => runs.take(fact, at)[0]?.status ?? null)).toEqual(statuses);
  });

  it('forgets a run of which nothing is heard any more', () => {
    const runs = new SeenRuns();
    runs.take(started('1'), at);
    expect(runs.take(started('2'), later(10))[0]?.status).toBe('ACTIVE');
    expect(runs.take(ended('2'), later(16))[0]?.status).toBe('IDLE');
  });

  it('leaves out what says nothing of runs', () => {
    expect(new SeenRuns().take({ kind: 'config-changed', hash: null, at }, at)).toEqual([]);
  });
});
