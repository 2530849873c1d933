import { describe, expect, it } from 'vitest';
import type { FeedEvent, Live } from '../../src/events/feed-event.ts';
import { SubscriptionOverflow, Topic } from '../../src/events/topic.ts';
import { LiveGroup, Told } from '../../src/http/live-group.ts';
import { eventually } from '../support/eventually.ts';

const live = (seq: bigint): Live<FeedEvent> => ({ seq, isLogged: true, value: { seq } as FeedEvent });
const told = ({ seq }: FeedEvent): Told => new Told({ data: { seq: String(seq) } });

function group(execute: (event: FeedEvent) => Promise<Told> = async (event) => told(event)) {
  const topic = new Topic<Live<FeedEvent>>(100);
  let executions = 0;
  let ends = 0;
  const made = new LiveGroup({
    live: topic.subscribe(() => true),
    execute: (event) => {
      executions++;
      return execute(event);
    },
    onEnd: () => ends++,
  });
  const member = () => {
    const seen: string[] = [];
    const ended: (Error | null)[] = [];
    const leave = made.join({
      tell: ({ value }) => seen.push(String(value.result.data?.seq)),
      end: (error) => ended.push(error),
    });
    return { seen, ended, leave };
  };
  return { topic, member, executions: () => executions, ends: () => ends };
}

describe('subscriptions that ask for the same', () => {
  it('are told of each event, which is executed once', async () => {
    const { topic, member, executions } = group();
    const members = Array.from({ length: 100 }, member);
    for (const seq of [1n, 2n, 3n]) topic.publish(live(seq));
    await eventually(
      () => members.every(({ seen }) => seen.length === 3),
      (all) => all,
    );
    expect(members.map(({ seen }) => seen.join())).toEqual(members.map(() => '1,2,3'));
    expect(executions()).toBe(3);
  });

  it('are told in the order of the events, whichever is executed first', async () => {
    const waiting = new Map<bigint, () => void>();
    const { topic, member } = group(
      (event) => new Promise((resolve) => waiting.set(event.seq, () => resolve(told(event)))),
    );
    const { seen } = member();
    for (const seq of [1n, 2n, 3n]) topic.publish(live(seq));
    await eventually(
      () => waiting.size,
      (size) => size === 3,
    );
    for (const seq of [3n, 2n]) waiting.get(seq)?.();
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen).toEqual([]);
    waiting.get(1n)?.();
    await eventually(
      () => seen.join(),
      (text) => text === '1,2,3',
    );
  });

  it('go on when one leaves; when the last has left, nothing is executed any more', async () => {
    const { topic, member, executions, ends } = group();
    const [stays, leaves] = [member(), member()];
    leaves.leave();
    topic.publish(live(1n));
    await eventually(
      () => stays.seen.length,
      (length) => length === 1,
    );
    expect(leaves.seen).toEqual([]);
    stays.leave();
    expect(ends()).toBe(1);
    topic.publish(live(2n));
    expect(topic.size).toBe(0);
    expect(executions()).toBe(1);
  });

  it.each<[string, (topic: Topic<Live<FeedEvent>>) => void, unknown]>([
    ['the server stops', (topic) => topic.end(), null],
    [
      'they fall behind all together',
      (topic) => topic.fail(new SubscriptionOverflow()),
      expect.any(SubscriptionOverflow),
    ],
  ])('are told of the end when %s, after all that came before it', async (_, end, error) => {
    const { topic, member } = group();
    const { seen, ended } = member();
    topic.publish(live(1n));
    end(topic);
    await eventually(
      () => ended,
      (ends) => ends.length === 1,
    );
    expect(seen).toEqual(['1']);
    expect(ended).toEqual([error]);
  });

  it('are told of an event that cannot be executed as of their end', async () => {
    const { topic, member } = group(async () => {
      throw new Error('broken');
    });
    const { ended } = member();
    topic.publish(live(1n));
    await eventually(
      () => ended,
      (ends) => ends.length === 1,
    );
    expect(ended).toEqual([new Error('broken')]);
    expect(topic.size).toBe(0);
  });
});
