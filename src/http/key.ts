/** The value as JSON, for telling values apart; null for what JSON cannot say, or only with more levels than there is stack for. */
export function keyOf(value: unknown): string | null {
  try {
    return JSON.stringify(value) ?? null;
  } catch {
    return null;
  }
}
