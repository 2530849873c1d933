/**
 * How much an agent's model is shown: beyond that OpenClaw 2026.9 cuts without a word (its documentation, "bootstrap
 * files"). So a document over budget is an error for the operator, and never written.
 */

/** Characters of one file. */
export const FILE_BUDGET = 20_000;
/** Characters of USER.md. */
const USER_FILE_BUDGET = 4_000;
/** Characters of all files together. */
const ALL_FILES_BUDGET = 60_000;
/** Bytes of the heartbeat's scratch; the gateway refuses more. */
const SCRATCH_BUDGET = 262_144;

/** The message is one sentence that names the document, its size, the limit and what takes up the room. */
export class BudgetError extends Error {
  override readonly name = 'BudgetError';
  /** The document or file over budget; null when only all of them together are. */
  readonly document: string | null;
  readonly size: number;
  readonly limit: number;

  constructor(message: string, sizes: { document: string | null; size: number; limit: number }) {
    super(message);
    this.document = sizes.document;
    this.size = sizes.size;
    this.limit = sizes.limit;
  }
}

interface SizedPart {
  readonly name: string;
  readonly size: number;
}

/** @throws BudgetError for the first file over its budget, else when all of them together are over. */
export function checkFileBudgets(files: readonly (SizedPart & { readonly parts: readonly SizedPart[] })[]): void {
  for (const { name, size, parts } of files) {
    const limit = name === 'USER.md' ? USER_FILE_BUDGET : FILE_BUDGET;
    if (size <= limit) continue;
    const made = parts.length > 1 ? `: ${sizesOf(parts)}` : '';
    const message = `${name} has ${count(size)} characters and the agent's model is shown ${count(limit)} at most${made}.`;
    throw new BudgetError(message, { document: name, size, limit });
  }
  const size = files.reduce((sum, file) => sum + file.size, 0);
  if (size > ALL_FILES_BUDGET) {
    const shown = `the agent's model is shown ${count(ALL_FILES_BUDGET)} at most`;
    const message = `The agent's files have ${count(size)} characters together and ${shown}: ${sizesOf(files)}.`;
    throw new BudgetError(message, { document: null, size, limit: ALL_FILES_BUDGET });
  }
}

/** @throws BudgetError */
export function checkScratchBudget(document: string, content: string): void {
  const size = Buffer.byteLength(content);
  if (size <= SCRATCH_BUDGET) return;
  const message = `${document} has ${count(size)} bytes and a heartbeat's instructions take ${count(SCRATCH_BUDGET)} at most.`;
  throw new BudgetError(message, { document, size, limit: SCRATCH_BUDGET });
}

function sizesOf(parts: readonly SizedPart[]): string {
  const largestFirst = [...parts].sort((a, b) => b.size - a.size);
  return largestFirst.map(({ name, size }) => `${name} ${count(size)}`).join(', ');
}

function count(size: number): string {
  return size.toLocaleString('en-US');
}
