import { afterAll, beforeAll, describe, it, vi } from 'vitest';
import type { Cause, Row } from './row.ts';
import { Stage } from './stage.ts';

// Most of a test's time is waiting, for the next attempt of something.
vi.setConfig({ maxConcurrency: 12 });

/** One test per cause, all on one server. @param settings environment variables of the server */
export function showing(title: string, causes: readonly Cause[], settings: Record<string, string> = {}): void {
  describe(title, { concurrent: true, timeout: 120_000 }, () => {
    let stage: Stage;
    beforeAll(async () => {
      stage = await Stage.open(settings);
    });
    afterAll(() => stage.close());

    for (const { cause, show } of causes) it(cause, () => show(stage));
  });
}

/** The causes of all rules, each named with its rule. */
export function causesOf(rows: readonly Row[]): Cause[] {
  return rows.flatMap(({ reason, causes }) =>
    causes.map(({ cause, show }) => ({ cause: `${reason}: ${cause}`, show })),
  );
}
