/**
 * Waits for all of them, also when one fails: nothing goes on any more when this has ended.
 * @throws Error with the messages of all that failed
 */
export async function together(works: readonly Promise<unknown>[]): Promise<void> {
  const outcomes = await Promise.allSettled(works);
  const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  if (reasons.length > 0) throw new Error([...new Set(reasons.map(messageOf))].join('\n'), { cause: reasons[0] });
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
