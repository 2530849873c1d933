import { describe, expect, test } from 'vitest';
import { type AgentsPatch, ConfigWriter, type WriterOptions, writerOf } from '../../src/gateway/config-writer.ts';
import { GatewayError, toGatewayError } from '../../src/gateway/errors.ts';
import { isApplied, type JsonObject, mergePatches } from '../../src/gateway/merge-patch.ts';
import { RateBudget } from '../../src/gateway/rate-budget.ts';
import type { GatewayRequests } from '../../src/gateway/requests.ts';
import { invalid, Refusal } from './scripted-gateway.ts';

type Entries = Record<string, JsonObject>;

/** A configuration that is written as a real gateway's: by merge patch and hash, with what a test puts in the way. */
class FakeConfig implements GatewayRequests {
  entries: Entries = {};
  revision = 1;
  applied = 1;
  patches: Entries[] = [];
  creates: string[] = [];
  /** Called before each agents.create, with the agent's id; may throw a `Refusal`. */
  onCreate: (id: string) => void = () => {};
  /** Called before each patch, with its number from 1; may throw a `Refusal`. */
  onPatch: (number: number, entries: Entries) => void = () => {};

  async request<T>(method: string, params: object): Promise<T> {
    try {
      return JSON.parse(JSON.stringify(this.#answer(method, params)));
    } catch (error) {
      throw error instanceof Refusal ? toGatewayError({ gatewayCode: error.shape.code, ...error.shape }) : error;
    }
  }

  #answer(method: string, params: object): object {
    if (method === 'config.get') return this.#get();
    return method === 'agents.create' ? this.#create(params) : this.#patch(params);
  }

  #create(params: object): object {
    if (!('name' in params) || typeof params.name !== 'string') throw invalid('invalid params');
    if (!('workspace' in params) || typeof params.workspace !== 'string') throw invalid('invalid params');
    const { name, workspace } = params;
    this.creates.push(name);
    this.onCreate(name);
    this.merge({ [name]: { name, workspace } });
    this.applied = this.revision;
    return { ok: true, agentId: name };
  }

  #get(): object {
    const agents = { ownership: 'explicit', entries: this.entries };
    return {
      hash: `h${this.revision}`,
      configRevisionHash: `r${this.revision}`,
      appliedConfigHash: `r${this.applied}`,
      sourceConfig: { agents },
    };
  }

  #patch(params: object): object {
    if (!('raw' in params) || typeof params.raw !== 'string' || !('baseHash' in params))
      throw invalid('invalid params');
    const { agents } = JSON.parse(params.raw);
    expect(agents.ownership).toBe('explicit');
    this.patches.push(agents.entries);
    this.onPatch(this.patches.length, agents.entries);
    if (params.baseHash !== `h${this.revision}`)
      throw invalid('config changed since last load; re-run config.get and retry');
    this.merge(agents.entries);
    this.applied = this.revision;
    return { ok: true, hash: `h${this.revision}` };
  }

  merge(entries: AgentsPatch): void {
    this.entries = JSON.parse(JSON.stringify(mergePatches(JSON.parse(JSON.stringify(this.entries)), entries)));
    this.revision += 1;
  }
}

const writerFor = (config: FakeConfig, options: WriterOptions = {}) =>
  new ConfigWriter(config, { random: () => 0, ...options });
const agent = (name: string) => ({ name, heartbeat: { every: '10m', target: 'none' } });
const superseded = new Refusal({
  code: 'UNAVAILABLE',
  message: 'config.patch persisted but was not applied to the active Gateway (superseded); run config.get',
});

test('calls that come together become one patch', async () => {
  const config = new FakeConfig();
  const writer = writerFor(config);
  const ids = Array.from({ length: 50 }, (_, index) => `mc-${index}`);
  const results = await Promise.all(ids.map((id) => writer.patch({ [id]: agent(id) })));
  expect(config.patches).toHaveLength(1);
  expect(Object.keys(config.entries)).toEqual(ids);
  expect(results.every(({ changed }) => changed)).toBe(true);
});

test('calls that come during a write become the next patch, and later values win', async () => {
  const config = new FakeConfig();
  const writer = writerFor(config);
  let during: Promise<unknown> = Promise.resolve();
  config.onPatch = (number) => {
    if (number === 1) during = Promise.all([writer.patch({ b: agent('B') }), writer.patch({ b: { name: 'B2' } })]);
  };
  await writer.patch({ a: agent('A') });
  await during;
  expect(config.patches).toHaveLength(2);
  expect(config.entries).toEqual({ a: agent('A'), b: { ...agent('B'), name: 'B2' } });
});

test('what is there already is not sent, and each caller is told its own', async () => {
  const config = new FakeConfig();
  config.entries = { a: agent('A') };
  const writer = writerFor(config);
  expect(await writer.patch({ a: { name: 'A' } })).toMatchObject({ changed: false });
  expect(config.patches).toHaveLength(0);
  const both = await Promise.all([writer.patch({ a: agent('A') }), writer.patch({ b: agent('B') })]);
  expect(both).toMatchObject([{ changed: false }, { changed: true }]);
});

test('a stale hash is read again', async () => {
  const config = new FakeConfig();
  config.onPatch = (number) => {
    if (number <= 2) config.merge({ other: { name: `other ${number}` } });
  };
  expect(await writerFor(config).patch({ a: agent('A') })).toMatchObject({ changed: true });
  expect(config.patches).toHaveLength(3);
  expect(config.entries).toEqual({ a: agent('A'), other: { name: 'other 2' } });
});

test('someone who always writes first is given up on, with a passing error', async () => {
  const config = new FakeConfig();
  config.onPatch = (number) => config.merge({ other: { name: `other ${number}` } });
  const patch = writerFor(config, { maxTries: 3 }).patch({ a: agent('A') });
  await expect(patch).rejects.toMatchObject({ reason: 'stale-config', retryable: true });
  expect(config.patches).toHaveLength(3);
});

describe('a superseded write', () => {
  test('that is on disk becomes live without a second patch', async () => {
    const config = new FakeConfig();
    config.onPatch = (_number, entries) => {
      config.merge(entries);
      setTimeout(() => {
        config.applied = config.revision;
      }, 1);
      throw superseded;
    };
    expect(await writerFor(config).patch({ a: agent('A') })).toMatchObject({ changed: true });
    expect(config.patches).toHaveLength(1);
  });

  test('that was lost is written again', async () => {
    const config = new FakeConfig();
    config.onPatch = (number) => {
      if (number === 1) throw superseded;
    };
    expect(await writerFor(config).patch({ a: agent('A') })).toMatchObject({ changed: true });
    expect(config.patches).toHaveLength(2);
    expect(config.entries).toEqual({ a: agent('A') });
  });

  test('that never becomes live is reported as passing', async () => {
    const config = new FakeConfig();
    config.onPatch = (_number, entries) => {
      config.merge(entries);
      throw superseded;
    };
    const patch = writerFor(config, { settleMs: 0 }).patch({ a: agent('A') });
    await expect(patch).rejects.toMatchObject({ reason: 'superseded', retryable: true });
  });
});

describe('one bad entry', () => {
  const bad = (id: string) =>
    `invalid config: agents.entries.${id}.heartbeat.every: invalid duration (use ms, s, m, h)`;

  test.each([
    ['named in the message', (id: string) => invalid(bad(id))],
    [
      'named in the issues',
      (id: string) => invalid('invalid config', { issues: [{ path: `agents.entries.${id}.name` }] }),
    ],
    ['named in brackets', (id: string) => invalid(`invalid config: agents.entries["${id}"]: Invalid key in record`)],
    ['not named', () => invalid('invalid config: agents.entries: Invalid key in record')],
  ])('%s fails its own caller, and the others are written', async (_title, refusal) => {
    const config = new FakeConfig();
    config.onPatch = (_number, entries) => {
      if (entries['mc-1']) throw refusal('mc-1');
    };
    const ids = ['mc-0', 'mc-1', 'mc-10', 'mc-11', 'mc-2'];
    const writer = writerFor(config);
    const outcomes = await Promise.allSettled(ids.map((id) => writer.patch({ [id]: agent(id) })));
    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
      'fulfilled',
    ]);
    expect(Object.keys(config.entries).sort()).toEqual(['mc-0', 'mc-10', 'mc-11', 'mc-2']);
  });

  test('of someone else fails all, since none of them can help it', async () => {
    const config = new FakeConfig();
    config.onPatch = () => {
      throw invalid(bad('stranger'));
    };
    const writer = writerFor(config);
    const outcomes = await Promise.allSettled([writer.patch({ a: agent('A') }), writer.patch({ b: agent('B') })]);
    for (const outcome of outcomes) {
      expect(outcome.status === 'rejected' && outcome.reason).toMatchObject({ reason: 'invalid-config' });
    }
    expect(config.patches).toHaveLength(1);
  });
});

describe('an agent that was deleted at the gateway', () => {
  const known = (...ids: string[]) => Object.fromEntries(ids.map((id) => [id, { workspace: `/w/${id}` }]));

  test('is made anew before its entry is written', async () => {
    const config = new FakeConfig();
    const { changed, revived } = await writerFor(config).patch({ a: agent('A') }, known('a'));
    expect({ changed, revived: [...revived] }).toEqual({ changed: true, revived: ['a'] });
    expect(config.creates).toEqual(['a']);
    expect(config.entries).toEqual({ a: { workspace: '/w/a', ...agent('A') } });
  });

  test('and cannot be made anew fails its own caller; the others are made once, written, and told what was made', async () => {
    const config = new FakeConfig();
    config.entries = { d: { name: 'D' } };
    const message = "EACCES: permission denied, mkdir '/w/b'";
    config.onCreate = (id) => {
      if (id === 'b') throw new Refusal({ code: 'UNAVAILABLE', message });
    };
    const writer = writerFor(config);
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const outcomes = await Promise.allSettled(
      ids.map((id) => writer.patch({ [id]: agent(id) }, known('a', 'b', 'c', 'd'))),
    );
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
      'fulfilled',
    ]);
    const [, bad, ...good] = outcomes;
    expect(bad?.status === 'rejected' && bad.reason).toBeInstanceOf(GatewayError);
    expect(bad?.status === 'rejected' && bad.reason).toMatchObject({ message, gatewayCode: 'UNAVAILABLE' });
    for (const outcome of good)
      expect(outcome.status === 'fulfilled' && [...outcome.value.revived]).toEqual(['a', 'c']);
    expect(config.creates.toSorted()).toEqual(['a', 'b', 'c']);
    expect(Object.keys(config.entries).toSorted()).toEqual(['a', 'c', 'd', 'e']);
  });

  test('of several that cannot be made anew each fails its own caller', async () => {
    const config = new FakeConfig();
    config.onCreate = (id) => {
      if (id !== 'c') throw new Refusal({ code: 'UNAVAILABLE', message: `no place for ${id}` });
    };
    const writer = writerFor(config);
    const ids = ['a', 'b', 'c'];
    const outcomes = await Promise.allSettled(ids.map((id) => writer.patch({ [id]: agent(id) }, known(...ids))));
    expect(outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.message : 'done'))).toEqual([
      'no place for a',
      'no place for b',
      'done',
    ]);
  });
});

test('a gateway that goes away fails all callers with a passing error', async () => {
  const config = new FakeConfig();
  config.onPatch = () => {
    throw toGatewayError(new Error('gateway closed (1012): service restart'));
  };
  const writer = writerFor(config);
  const outcomes = await Promise.allSettled([writer.patch({ a: agent('A') }), writer.patch({ b: agent('B') })]);
  for (const outcome of outcomes) {
    const reason: unknown = outcome.status === 'rejected' && outcome.reason;
    expect(reason).toBeInstanceOf(GatewayError);
    expect(reason).toMatchObject({ reason: 'disconnected', retryable: true });
  }
});

test('a refusal for too many patches is waited out as long as the gateway says', async () => {
  const config = new FakeConfig();
  config.onPatch = (number) => {
    if (number === 1) {
      const message = 'rate limit exceeded for config.patch; retry after 60s';
      throw new Refusal({ code: 'UNAVAILABLE', message, retryable: true, retryAfterMs: 120 });
    }
  };
  const started = Date.now();
  await writerFor(config).patch({ a: agent('A') });
  expect(Date.now() - started).toBeGreaterThanOrEqual(119);
  expect(config.patches).toHaveLength(2);
});

test('the budget lets as many through as the window allows and makes the next one wait', async () => {
  const started = Date.now();
  const budget = new RateBudget({ limit: 3, windowMs: 150, now: Date.now });
  for (let call = 0; call < 3; call += 1) await budget.take();
  expect(Date.now() - started).toBeLessThan(140);
  await budget.take();
  expect(Date.now() - started).toBeGreaterThanOrEqual(149);
});

test('a connection has one writer', () => {
  const config = new FakeConfig();
  expect(writerOf(config)).toBe(writerOf(config));
  expect(writerOf(new FakeConfig())).not.toBe(writerOf(config));
});

test.each([
  [{ a: 1 }, { a: 1, b: 2 }, true],
  [{ a: { b: 1 } }, { a: { b: 1, c: 2 } }, true],
  [{ a: { b: 1 } }, { a: 1 }, false],
  [{ a: null }, {}, true],
  [{ a: null }, { a: 0 }, false],
  [{ a: [1, 2] }, { a: [1, 2] }, true],
  [{ a: [1] }, { a: [1, 2] }, false],
  [{ a: {} }, {}, false],
  [{ a: undefined }, {}, true],
])('whether %j is in %j: %s', (patch, value, applied) => {
  expect(isApplied(patch, value)).toBe(applied);
});
