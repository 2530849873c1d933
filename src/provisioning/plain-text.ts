/**
 * Text that someone typed into a field, made ready to stand anywhere in a document without becoming part of its
 * structure: not a new line, heading, list, fence, table, comment, tag or marker. Words and their order stay.
 */

/** What is invisible and can hide or reorder text for a reader: byte order mark, bidirectional marks, tags and the like. */
const INVISIBLE =
  /[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]+/gu;
/** Controls, line ends among them. */
const CONTROLS = /[\p{Cc}\u2028\u2029]+/gu;

/** Starts of a line that mean something in Markdown. Numbered lists are below: their escape stands elsewhere. */
const BLOCK_START = /^(?:[#>|=]|~{3}|[-*_+](?=[-*_+|:\s]|$)|:-)/;
const NUMBERED = /^(\d{1,9})([.)])(?=\s|$)/;

export function plainText(value: string): string {
  const line = value
    .toWellFormed()
    .replace(CONTROLS, ' ')
    .replace(INVISIBLE, ' ')
    .replace(/\s+/gu, ' ')
    .trim()
    // No look-alike is needed for a backtick: an apostrophe reads the same and opens no code.
    .replaceAll('`', "'")
    // Escaping with a backslash would fail after a backslash of the author's own, so these are replaced.
    .replace(/<(?=[A-Za-z/!?]|$)/g, '‹')
    .replace(/(--!?)>/g, '$1›');
  return line.replace(BLOCK_START, '\\$&').replace(NUMBERED, '$1\\$2');
}

/** A text of several lines without what is invisible in it. */
export function withoutInvisible(text: string): string {
  return text.toWellFormed().replace(INVISIBLE, '');
}
