// Text for terminals: how wide it is there, and how long ago something was.

const segmenter = new Intl.Segmenter();
/** Emoji that are shown as such, and the scripts whose signs take two columns. */
const WIDE =
  /\p{Emoji_Presentation}|\uFE0F|\p{Script=Han}|\p{Script=Hangul}|\p{Script=Hiragana}|\p{Script=Katakana}|[\u3000-\u303F\uFF01-\uFF60]/u;
const INVISIBLE = /^[\p{Control}\p{Mark}\p{Format}]+$/u;

function columnsOf(grapheme: string): number {
  if (INVISIBLE.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}

/** How many columns a text without colours takes. */
function widthOf(text: string): number {
  return Array.from(segmenter.segment(text), ({ segment }) => columnsOf(segment)).reduce(
    (sum, width) => sum + width,
    0,
  );
}

/** The text on one line, cut to so many columns; what was cut shows as an ellipsis. */
export function cut(text: string, columns: number): string {
  const line = text.replace(/[\r\n\t]+/g, ' ');
  if (widthOf(line) <= columns) return line;
  let kept = '';
  let width = 0;
  for (const { segment } of segmenter.segment(line)) {
    width += columnsOf(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  return columns > 0 ? `${kept}…` : '';
}

/** The text in exactly so many columns. */
export function padded(text: string, columns: number): string {
  const kept = cut(text, columns);
  return kept + ' '.repeat(Math.max(0, columns - widthOf(kept)));
}

/** The text in lines of at most so many columns, broken at spaces. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && widthOf(last) + 1 + widthOf(word) <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(cut(word, columns));
  }
  return lines;
}

/** For example "34 ms" or "1.2 s". */
export function duration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  return ms < 99_950 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}

/** For example "3 s ago" or "2 min ago". */
export function ago(then: Date, now: Date): string {
  const seconds = Math.max(0, Math.floor((now.getTime() - then.getTime()) / 1000));
  if (seconds < 1) return 'now';
  return seconds < 100 ? `${seconds} s ago` : `${Math.floor(seconds / 60)} min ago`;
}

/** The time of day, for example 14:03:07.123 */
export function clock(at: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const ms = String(at.getMilliseconds()).padStart(3, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${ms}`;
}
