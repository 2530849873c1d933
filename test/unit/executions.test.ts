import { describe, expect, it } from 'vitest';
import { Executions } from '../../src/http/shared-queries.ts';

/** Executions that end when they are told to. */
function stage() {
  const executions = new Executions();
  const begun: { name: string; end: (error?: Error) => void }[] = [];
  const ask = (name: string, key = 'key') =>
    executions.join(key, () => {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      begun.push({ name, end: (error) => (error ? reject(error) : resolve(`answer to ${name}`)) });
      return promise;
    });
  return { ask, begun, names: () => begun.map(({ name }) => name) };
}

/** Later than what waits for all that has arrived. */
const soon = () => new Promise((resolve) => setTimeout(resolve, 10));

describe('executions of the same', () => {
  it('begin once for who comes at the same moment, and once more for all who come meanwhile', async () => {
    const { ask, begun, names } = stage();
    const first = ask('first');
    const together = ask('at the same moment');
    await soon();
    const others = ['second', 'third', 'fourth'].map((name) => ask(name));
    await soon();
    expect(names()).toEqual(['first']);
    begun[0]?.end();
    expect(await Promise.all([first, together])).toEqual(['answer to first', 'answer to first']);
    await soon();
    expect(names()).toEqual(['first', 'second']);
    // Who comes now may not have what was begun before.
    const late = ask('late');
    begun[1]?.end();
    expect(await Promise.all(others)).toEqual(Array(3).fill('answer to second'));
    await soon();
    begun[2]?.end();
    expect(await late).toBe('answer to late');
  });

  it('do not wait for long for one that takes its time', async () => {
    const { ask, begun, names } = stage();
    const slow = ask('slow');
    await soon();
    const next = ask('next');
    const asked = performance.now();
    while (names().length < 2 && performance.now() - asked < 5_000) await soon();
    begun[1]?.end();
    expect(await next).toBe('answer to next');
    begun[0]?.end();
    expect(await slow).toBe('answer to slow');
    const after = ask('after');
    await soon();
    begun[2]?.end();
    expect(await after).toBe('answer to after');
  });

  it('fail for those who share them, and for nobody else', async () => {
    const { ask, begun } = stage();
    const failing = Promise.allSettled([ask('first')]);
    await soon();
    const next = ask('next');
    begun[0]?.end(new Error('away'));
    expect((await failing)[0]?.status).toBe('rejected');
    await soon();
    begun[1]?.end();
    expect(await next).toBe('answer to next');
  });

  it('of different things do not wait for each other', async () => {
    const { ask, names } = stage();
    void ask('one', 'one');
    void ask('other', 'other');
    await soon();
    expect(names()).toEqual(['one', 'other']);
  });
});
