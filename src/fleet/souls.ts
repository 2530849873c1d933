import { type SoulRef, searchSouls } from '../provisioning/souls/matching.ts';
import type { Fleet } from './fleet.ts';

interface ListedSoul extends SoulRef {
  pageUrl: string;
}

/** Souls of the directory whose handle or slug contains each of the words; none when it cannot be reached. */
export async function findSouls({ soulDirectory }: Fleet, query: string, first: number): Promise<ListedSoul[]> {
  if (soulDirectory === null) return [];
  const souls = (await soulDirectory.souls()) ?? [];
  return searchSouls(query, souls, first).map((soul) => ({ ...soul, pageUrl: soulDirectory.pageUrl(soul) }));
}
