import { withoutInvisible } from '../plain-text.ts';

/** A soul as it goes into SOUL.md. */
export interface RoleSoul {
  /** Its page in the directory. */
  readonly url: string;
  readonly text: string;
}

/** The longest text that is taken, in characters; whether the agent's model is shown that much is another question. */
export const SOUL_LIMIT = 24_000;

/** What reads like an agent's credentials: of these, a workspace has its own and no others. */
const CREDENTIALS = /mc[ao]_[\w-]{20,}|MISSION_CONTROL_\w+\s*=/i;

/** A text that is not put into a document. The message is a part of a sentence that says why. */
export class UnusableSoul extends Error {
  override readonly name = 'UnusableSoul';
}

/**
 * A soul's text as it came, made ready for a document: one kind of line end, nothing invisible.
 * @throws UnusableSoul
 */
export function soulTextOf(fetched: string): string {
  const text = withoutInvisible(fetched.replace(/\r\n?|[\u2028\u2029]/g, '\n')).replace(/^\s*\n|\s+$/g, '');
  if (text === '') throw new UnusableSoul('is empty');
  if (text.length > SOUL_LIMIT) throw new UnusableSoul(`is longer than ${SOUL_LIMIT} characters`);
  if (/[^\P{Cc}\n\t]/u.test(text)) throw new UnusableSoul('has control characters');
  if (CREDENTIALS.test(text)) throw new UnusableSoul('has what reads like credentials of an agent');
  return text;
}

/**
 * A text as a block of content in a Markdown document: nothing in it is a heading, a section or an end of the block. A
 * fence is closed by one of its own length or a longer one, so it is longer than any row of its sign in the text.
 */
export function fenced(text: string): string {
  const rows = text.match(/~+/g) ?? [];
  const fence = '~'.repeat(Math.max(3, ...rows.map((row) => row.length + 1)));
  return `${fence}markdown\n${text}\n${fence}`;
}
