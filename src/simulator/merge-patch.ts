import { type Dict, isDict } from './wire.ts';

/** RFC 7396, as config.patch uses it: null removes, objects merge, everything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isDict(patch)) return patch;
  const merged: Dict = isDict(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

/** The paths of all leaves that a patch names: what the gateway lists when the base hash is missing. */
export function leafPaths(patch: unknown, path = ''): string[] {
  if (!isDict(patch) || Object.keys(patch).length === 0) return [path];
  return Object.entries(patch).flatMap(([key, value]) => leafPaths(value, path ? `${path}.${key}` : key));
}

/** Where two documents differ, as deep as both have the place: an added subtree is named by its root. */
export function changedPaths(before: unknown, after: unknown, path = ''): string[] {
  if (!isDict(before) || !isDict(after)) return same(before, after) ? [] : [path];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) => {
    const place = path ? `${path}.${key}` : key;
    if (!(key in before) || !(key in after)) return [place];
    return changedPaths(before[key], after[key], place);
  });
}

/** The paths of arrays that lose entries, which config.patch refuses unless they are in replacePaths. */
export function shrunkArrays(before: unknown, after: unknown, path = ''): string[] {
  if (Array.isArray(before)) {
    const kept = Array.isArray(after) ? after : [];
    return before.every((item) => kept.some((other) => same(item, other))) ? [] : [path];
  }
  if (!isDict(before)) return [];
  return Object.entries(before).flatMap(([key, value]) =>
    shrunkArrays(value, isDict(after) ? after[key] : undefined, path ? `${path}.${key}` : key),
  );
}

/** Whether two JSON values are the same, whatever the order of keys. */
export function same(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

/** JSON with sorted keys. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    isDict(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part,
  );
}
