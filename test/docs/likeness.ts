/** What differs from one run to the next, by its form. */
const VARYING = [
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, // an id
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/, // an instant
  /^[0-9a-z]{13}$/, // a cursor of the event log
  /^R1BD[\w+/=]+$/, // a cursor of a list
  /^mc[oa]_[\w-]*$/, // a token, or its beginning
];

/** The page's values of this kind, with those that the server gave in this run. */
export type Learnt = Map<string, string>;

/**
 * How an answer differs from the one on the page: null when it has the same fields in the same order and the same values,
 * but for ids, instants, cursors and tokens, which are put into `learnt`, and durations (fields named …Ms).
 */
export function difference(shown: unknown, real: unknown, learnt: Learnt, path = 'answer'): string | null {
  if (Object.is(shown, real)) return null;
  const unlike = `${path}: the page has ${JSON.stringify(shown)}, the server ${JSON.stringify(real)}`;
  if (Array.isArray(shown) && Array.isArray(real)) {
    if (shown.length !== real.length) return unlike;
    return first(shown.map((value, index) => difference(value, real[index], learnt, `${path}[${index}]`)));
  }
  if (isObject(shown) && isObject(real)) {
    if (Object.keys(shown).join() !== Object.keys(real).join()) return unlike;
    return first(Object.entries(shown).map(([key, value]) => difference(value, real[key], learnt, `${path}.${key}`)));
  }
  if (
    typeof shown === 'string' &&
    typeof real === 'string' &&
    VARYING.some((form) => form.test(shown) && form.test(real))
  ) {
    learnt.set(shown, real);
    return null;
  }
  if (typeof shown === 'number' && typeof real === 'number' && path.endsWith('Ms')) return null;
  return unlike;
}

/** The text with this run's values in place of the page's. */
export function filledIn(text: string, learnt: Learnt): string {
  return [...learnt]
    .sort(([one], [other]) => other.length - one.length)
    .reduce((filled, [shown, real]) => filled.replaceAll(shown, real), text);
}

/** Whether each of the page's values comes in the stream, in their order; others may come in between. */
export function missingFrom(stream: unknown[], shown: unknown[], learnt: Learnt): unknown | null {
  let next = 0;
  for (const value of stream) if (next < shown.length && difference(shown[next], value, learnt) === null) next++;
  return shown[next] ?? null;
}

const first = (differences: (string | null)[]): string | null => differences.find((one) => one !== null) ?? null;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
