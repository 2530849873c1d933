import { describe, expect, it } from 'vitest';
import { SubscriptionOverflow, Topic } from '../../src/events/topic.ts';

const all = () => true;

async function drain<T>(values: AsyncIterable<T>): Promise<T[]> {
  const drained: T[] = [];
  for await (const value of values) drained.push(value);
  return drained;
}

describe('a topic', () => {
  it('gives each subscriber what it wants, in order, from the moment on that it subscribed', async () => {
    const topic = new Topic<number>(10);
    topic.publish(0);
    const even = topic.subscribe((value) => value % 2 === 0);
    const every = topic.subscribe(all);
    for (const value of [1, 2, 3, 4]) topic.publish(value);
    topic.end();
    topic.publish(5);
    expect(await drain(even)).toEqual([2, 4]);
    expect(await drain(every)).toEqual([1, 2, 3, 4]);
  });

  it('gives a value at once to a subscriber that waits', async () => {
    const topic = new Topic<string>(1);
    const values = topic.subscribe(all);
    const first = values.next();
    topic.publish('a');
    topic.publish('b');
    expect(await first).toEqual({ value: 'a', done: false });
    expect(await values.next()).toEqual({ value: 'b', done: false });
  });

  it('ends a subscriber that falls behind, and no other', async () => {
    const topic = new Topic<number>(3);
    const slow = topic.subscribe(all);
    const picky = topic.subscribe((value) => value === 4);
    const quick = topic.subscribe(all);
    const received: number[] = [];
    for (const value of [1, 2, 3, 4, 5]) {
      topic.publish(value);
      const { value: next } = await quick.next();
      received.push(next);
    }
    expect(received).toEqual([1, 2, 3, 4, 5]);
    expect(await picky.next()).toEqual({ value: 4, done: false });
    await expect(slow.next()).rejects.toThrow(SubscriptionOverflow);
    expect(await slow.next()).toEqual({ value: undefined, done: true });
    expect(topic.size).toBe(2);
  });

  it('forgets a subscriber that has left, also one that waits', async () => {
    const topic = new Topic<number>(3);
    const values = topic.subscribe(all);
    const waiting = values.next();
    await values.return?.();
    expect(await waiting).toEqual({ value: undefined, done: true });
    expect(topic.size).toBe(0);
    topic.publish(1);
    expect(await values.next()).toEqual({ value: undefined, done: true });
  });
});
