/** A fenced block of a page. */
interface Block {
  /** What stands behind the fence, for example `json variables`. */
  info: string;
  text: string;
  /** Of its first line. */
  line: number;
}

/** What the page says that is answered: one JSON value, or those of a stream, line by line, which may come later on. */
type Shown = { kind: 'json'; value: unknown } | { kind: 'lines'; values: unknown[]; later: boolean };

/** Something that the page shows and that can be run. */
export type Step = { line: number; shown: Shown | null } & (
  | { kind: 'operation'; query: string; variables: string | null }
  | { kind: 'shell'; script: string }
);

export interface Page {
  steps: Step[];
  /** Every block that must be a file, as it stands there. */
  files: { line: number; info: string; text: string }[];
}

/**
 * Reads a page whose blocks are to be run. An operation (`graphql`) is followed by its variables (`json variables`) and
 * its answer, which may come several times: `json`, `json lines` for a stream, `json later` for a stream that what follows
 * on the page brings about. So is a script (`sh`). Variables further down belong to the operation that their file is named for.
 * @param examples the text of each file by its name: `NAME.graphql`, and its variables in `NAME.json` or `NAME.CASE.json`
 * @throws Error when a block belongs to nothing
 */
export function readPage(markdown: string, examples: ReadonlyMap<string, string>): Page {
  const page: Page = { steps: [], files: [] };
  let current: string | null = null;
  for (const block of blocksOf(markdown)) {
    const { info, text, line } = block;
    const last = page.steps.at(-1);
    switch (info) {
      case 'graphql':
        current = text;
        page.files.push(block);
        page.steps.push({ kind: 'operation', line, query: text, variables: null, shown: null });
        break;
      case 'ts':
        page.files.push(block);
        break;
      case 'json variables': {
        page.files.push(block);
        const query = operationOf(text, current, examples);
        if (query === null)
          throw new Error(`Line ${line}: these variables are no file that is named for an operation.`);
        if (last?.kind === 'operation' && last.query === query && last.shown === null) last.variables = text;
        else page.steps.push({ kind: 'operation', line, query, variables: text, shown: null });
        break;
      }
      case 'sh':
        page.steps.push({ kind: 'shell', line, script: text, shown: null });
        break;
      default:
        if (!last || last.shown !== null) throw new Error(`Line ${line}: this block answers nothing.`);
        last.shown = shownBy(block);
    }
  }
  return page;
}

/** The operation that variables are for: of those whose files have this text, the one shown last. */
function operationOf(variables: string, current: string | null, examples: ReadonlyMap<string, string>): string | null {
  const queries = [...examples]
    .filter(([file, text]) => file.endsWith('.json') && text === variables)
    .map(([file]) => examples.get(file.replace(/\..*$/, '.graphql')));
  return queries.find((query) => query === current) ?? queries[0] ?? null;
}

function shownBy({ info, text, line }: Block): Shown {
  switch (info) {
    case 'json':
      return { kind: 'json', value: JSON.parse(text) };
    case 'json lines':
    case 'json later':
      return { kind: 'lines', later: info === 'json later', values: text.split('\n').map((one) => JSON.parse(one)) };
    default:
      throw new Error(`Line ${line}: a block "${info}" is neither run nor compared.`);
  }
}

function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: { info: string; line: number; lines: string[] } | null = null;
  for (const [index, line] of markdown.split('\n').entries()) {
    if (open && line === '```') {
      blocks.push({ info: open.info, line: open.line, text: open.lines.join('\n') });
      open = null;
    } else if (open) {
      open.lines.push(line);
    } else if (line.startsWith('```')) {
      open = { info: line.slice(3), line: index + 1, lines: [] };
    }
  }
  return blocks;
}
