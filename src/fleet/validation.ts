import { z } from 'zod';
import { ValidationError } from './errors.ts';

// The rules for single values that several inputs share. Sentences follow the path: "input.name must not be empty".

/** One line for people to read: trimmed, without control characters or lone surrogates. */
export const line = (longest: number) =>
  z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(longest, `must have at most ${longest} characters`)
    .refine((text) => !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text), 'must be one line, without control characters')
    .refine((text) => text.isWellFormed(), 'must be valid Unicode');

/** Names of gateways, boards and agents. */
export const name = line(80);

/** Text of several lines. */
export const text = (longest: number) =>
  z
    .string()
    .max(longest, `must have at most ${longest} characters`)
    .refine((value) => !/[^\P{Cc}\n\r\t]/u.test(value), 'must not have control characters')
    .refine((value) => value.isWellFormed(), 'must be valid Unicode');

/** In lower case, as the database has it: names on the gateway are made of it, and rows are found again by it. */
export const uuid = z.uuid('must be a UUID').toLowerCase();

/** Any JSON value within bounds that keep a row and a document readable. */
export const json = (longest: number, deepest: number) =>
  z
    .unknown()
    // First, and no further than asked: everything else goes through the value level by level, and would overflow.
    .refine((value) => !isDeeperThan(deepest, value), { error: `must be at most ${deepest} levels deep`, abort: true })
    .pipe(z.json())
    .superRefine((value, context) => {
      const encoded = JSON.stringify(value);
      const refuse = (message: string) => context.addIssue({ code: 'custom', message });
      if (encoded.length > longest) refuse(`must have at most ${longest} characters as JSON`);
      // PostgreSQL's jsonb takes neither; JSON.stringify writes both, and only them, as these escapes.
      if (/(?<!\\)(\\\\)*\\u0000/.test(encoded)) refuse('must not have NUL characters');
      if (/(?<!\\)(\\\\)*\\ud[89a-f]/.test(encoded)) refuse('must be valid Unicode');
    });

function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(levels - 1, inner));
}

/** An instant that PostgreSQL has too: there is no year 0. */
export const instant = z
  .date()
  .min(new Date('0001-01-01T00:00:00Z'), 'must be in the year 1 or later')
  .max(new Date('9999-12-31T23:59:59.999Z'), 'must be in the year 9999 or earlier, in UTC');

/**
 * The input in the form that `schema` gives it.
 * @throws ValidationError with every problem, each with its path
 */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw new ValidationError(
    result.error.issues.map(({ path, message }) => ({ path: ['input', ...path.map(String)].join('.'), message })),
  );
}

/** Whether a text has the form of an id. One that has not belongs to nothing. */
export function isId(id: string): boolean {
  return uuid.safeParse(id).success;
}
