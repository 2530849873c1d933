import { setImmediate as immediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { gather } from '../../src/gather.ts';

/** A reader whose reads end when they are told to. */
function reader() {
  const reads: { keys: string[]; end: (error?: Error) => Promise<void> }[] = [];
  const get = gather((keys) => {
    const { promise, resolve, reject } = Promise.withResolvers<Map<string, string>>();
    const end = async (error?: Error) => {
      if (error) reject(error);
      else resolve(new Map(keys.filter((key) => key !== 'nobody').map((key) => [key, `value of ${key}`])));
      await soon();
    };
    reads.push({ keys: [...keys], end });
    return promise;
  });
  return { reads, get };
}

/** More turns of the event loop than anything waits for others. */
async function soon(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await immediate();
}

describe('look-ups that go together', () => {
  it('share one read, each key once, and nothing is remembered', async () => {
    const { reads, get } = reader();
    const answers = Promise.all([get('a'), get('b'), get('a'), get('nobody')]);
    await soon();
    expect(reads.map(({ keys }) => keys)).toEqual([['a', 'b', 'nobody']]);
    await reads[0]?.end();
    expect(await answers).toEqual(['value of a', 'value of b', 'value of a', null]);
    void get('a');
    await soon();
    expect(reads.map(({ keys }) => keys)).toEqual([['a', 'b', 'nobody'], ['a']]);
  });

  it('wait some turns for others when they are few, and not when they are many', async () => {
    const { reads, get } = reader();
    void get('a');
    await immediate();
    await immediate();
    void get('b');
    await soon();
    expect(reads.map(({ keys }) => keys)).toEqual([['a', 'b']]);
    await reads[0]?.end();
    const many = Array.from({ length: 20 }, (_, index) => String(index));
    for (const key of many) void get(key);
    await immediate();
    await immediate();
    void get('late');
    await soon();
    expect(reads[1]?.keys).toEqual(many);
    await reads[1]?.end();
    expect(reads[2]?.keys).toEqual(['late']);
  });

  it('wait for the read under way, which may have seen what was before they were asked for', async () => {
    const { reads, get } = reader();
    void get('a');
    await soon();
    const late = Promise.all([get('a'), get('b')]);
    await soon();
    expect(reads).toHaveLength(1);
    await reads[0]?.end();
    expect(reads[1]?.keys).toEqual(['a', 'b']);
    await reads[1]?.end();
    expect(await late).toEqual(['value of a', 'value of b']);
  });

  it('fail together, and those that come later do not', async () => {
    const { reads, get } = reader();
    const failing = Promise.allSettled([get('a'), get('b')]);
    await soon();
    const late = get('a');
    await reads[0]?.end(new Error('away'));
    expect((await failing).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await reads[1]?.end();
    expect(await late).toBe('value of a');
  });
});
