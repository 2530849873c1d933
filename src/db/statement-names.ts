import { LRUCache } from 'lru-cache';

/** Statements that each connection keeps prepared; PostgreSQL has about 20 kB for each. */
const KEPT = 100;
/** How often a statement is run before it is one of them. */
const OFTEN = 20;
/** Statements of which it is known how often they were run. */
const COUNTED = 1_000;

/**
 * Names of statements that are run again and again: under its name PostgreSQL parses and plans a statement once per connection.
 * That is most of what a heartbeat costs it. Others have none, as documents ask for as many different ones as they like.
 * @returns the name of a statement; empty for those that are not kept
 */
export function statementNames(): (statement: { sql: string }) => string {
  const names = new Map<string, string>();
  const runs = new LRUCache<string, number>({ max: COUNTED });
  return ({ sql }) => {
    const name = names.get(sql);
    if (name !== undefined) return name;
    if (names.size >= KEPT) return '';
    const times = (runs.get(sql) ?? 0) + 1;
    runs.set(sql, times);
    if (times < OFTEN) return '';
    runs.delete(sql);
    names.set(sql, `mission_control_${names.size + 1}`);
    return names.get(sql) ?? '';
  };
}
