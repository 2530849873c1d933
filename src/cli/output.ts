import { ConfigError } from '../config.ts';
import { GatewayError, hideSecrets } from '../gateway/errors.ts';

/** What every command takes. */
export interface OutputOptions {
  json?: boolean;
}

/** Exit codes of all commands. */
export const FAILED = 1;
export const WRONG_USAGE = 2;

export const JSON_FLAG = ['--json', 'print JSON for programs'] as const;

/** Prints the outcome: as JSON in one line, or as the text for people. */
export function print({ json }: OutputOptions, value: object, text: string): void {
  process.stdout.write(json ? `${JSON.stringify(value)}\n` : `${text}\n`);
}

/** What went wrong, in one line without a secret. */
export function sentenceOf(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  if (error instanceof GatewayError) return [error.message, error.hint].filter(Boolean).join(' ');
  if (!(error instanceof Error)) return hideSecrets(String(error));
  // Prisma's errors have the place in the program first, and then the reason; several addresses make an error without a message.
  const reason = error.message.trim().split('\n').at(-1) || ('code' in error && String(error.code)) || error.name;
  return hideSecrets(reason);
}

/** A table with as much room as its longest texts need. */
export function tableOf(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [titles, ...rows];
  const widths = titles.map((_title, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
