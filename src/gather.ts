import DataLoader from 'dataloader';

/**
 * Look-ups by key that go together: those that are asked for while others are under way wait for these, and then share one
 * `read`. Each is read after it was asked for, so nobody sees what was before; nothing is remembered.
 * @param read finds the values of different keys; keys without one are left out
 */
export function gather<Value>(
  read: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
): (key: string) => Promise<Value | null> {
  let underWay: Promise<unknown> = Promise.resolve();
  const loader = new DataLoader<string, Value | null>(
    (keys) => {
      const reading = read([...new Set(keys)]).then((found) => keys.map((key) => found.get(key) ?? null));
      underWay = reading.catch(() => undefined);
      return reading;
    },
    {
      cache: false,
      // Behind all requests that have arrived by then.
      batchScheduleFn: (dispatch) => void underWay.then(() => setImmediate(dispatch)),
    },
  );
  return (key) => loader.load(key);
}
