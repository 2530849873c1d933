/** JSON as it is sent: a merge patch (RFC 7396), in which null removes a key. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

/** One patch that does what `first` and then `second` would do. */
export function mergePatches(first: JsonObject, second: JsonObject): JsonObject {
  const merged: Record<string, Json | undefined> = { ...first };
  for (const [key, value] of Object.entries(second)) {
    if (value === undefined) continue;
    const before = merged[key];
    merged[key] = isObject(before) && isObject(value) ? mergePatches(before, value) : value;
  }
  return merged;
}

/** Whether a patch would change nothing of a value. */
export function isApplied(patch: JsonObject, value: unknown): boolean {
  if (!isRecord(value)) return false;
  return Object.entries(patch).every(([key, wanted]) => {
    if (wanted === undefined) return true;
    const present = value[key];
    if (wanted === null) return present === undefined || present === null;
    if (isObject(wanted)) return isApplied(wanted, present);
    return JSON.stringify(present) === JSON.stringify(wanted);
  });
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
