import { slugOf } from '../slug.ts';

// Which soul of the directory fits a role. No I/O.

/** A soul as the directory lists it. */
export interface SoulRef {
  /** Of its author. */
  readonly handle: string;
  readonly slug: string;
}

/** A role as short as this is part of too many words: "UI" of "build-master", "PR" of "improv-partner". */
const SHORT_ROLE = 3;

/** What joins words and says nothing of a role. */
const JOINING_WORDS = new Set(['a', 'an', 'and', 'at', 'by', 'for', 'in', 'of', 'on', 'or', 'the', 'to', 'with']);

/**
 * The soul for a role; null when none fits. In this order: its slug is the role's; it begins with it; it contains it; it
 * has at least two of the role's words, and the more the better. Among several the shortest.
 */
export function matchSoul(role: string, souls: readonly SoulRef[]): SoulRef | null {
  const wanted = slugOf(role);
  if (wanted === '') return null;
  const rate = raterFor(wanted);
  let best: Candidate | null = null;
  for (const soul of souls) {
    const slug = soul.slug.toLowerCase().replaceAll('_', '-');
    const candidate = { soul, slug, fit: rate(slug) };
    if (candidate.fit > 0 && (best === null || compare(candidate, best) < 0)) best = candidate;
  }
  return best?.soul ?? null;
}

interface Candidate {
  soul: SoulRef;
  slug: string;
  /** How well it fits; 0: not at all. */
  fit: number;
}

/** A slug has fewer words than this in common with anything. */
const MANY = 1_000;
const CONTAINS = MANY;
const BEGINS = MANY + 1;
const IS = MANY + 2;

/** Says how well a slug fits a role: one of the above, or how many words they have in common. */
function raterFor(wanted: string): (slug: string) => number {
  // Between hyphens a role is found in whole words only.
  const isShort = wanted.length <= SHORT_ROLE;
  const part = isShort ? `-${wanted}-` : wanted;
  const words = new Set(wanted.split('-').filter((word) => !JOINING_WORDS.has(word)));
  return (slug) => {
    if (slug === wanted) return IS;
    const whole = isShort ? `-${slug}-` : slug;
    if (whole.startsWith(part)) return BEGINS;
    if (whole.includes(part)) return CONTAINS;
    const hits = new Set(slug.split('-').filter((word) => words.has(word))).size;
    return hits >= 2 ? hits : 0;
  };
}

/** The better one first, and the same order however the directory lists them. */
function compare(a: Candidate, b: Candidate): number {
  return (
    b.fit - a.fit ||
    a.slug.length - b.slug.length ||
    alphabetically(a.slug, b.slug) ||
    alphabetically(a.soul.handle, b.soul.handle)
  );
}

function alphabetically(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Souls whose handle or slug contains each of the words, in the directory's order; all of them for a blank text. */
export function searchSouls(text: string, souls: readonly SoulRef[], first: number): SoulRef[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = ({ handle, slug }: SoulRef) => {
    const name = `${handle} ${slug}`.toLowerCase();
    return words.every((word) => name.includes(word));
  };
  return souls.filter(matches).slice(0, first);
}
