/** A place in an organization's event log, as clients see it: opaque, and ordered like the log. */
export function toCursor(seq: bigint): string {
  return seq.toString(36).padStart(13, '0');
}

/** @returns null when the text is no cursor */
export function fromCursor(cursor: string): bigint | null {
  if (!/^[0-9a-z]{13}$/.test(cursor)) return null;
  let seq = 0n;
  for (const digit of cursor) seq = seq * 36n + BigInt(Number.parseInt(digit, 36));
  return seq;
}
