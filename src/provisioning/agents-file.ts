/**
 * AGENTS.md, the one file that every gateway shows to the model and that carries what has no file of its own there.
 * Our documents stand between markers, in one block. Everything outside of it is the agent's and is kept.
 */

export interface Section {
  readonly name: string;
  readonly content: string;
}

const MARKER = /^<!-- mission-control:(begin|end) ([\w.-]+) -->[ \t]*$/;
const ANY_MARKER = /<!--(?=\s*mission-control:)/gi;

/**
 * The file with these sections, whatever it holds now: composing twice gives the same as once.
 *
 * @param existing the file as it is, null when there is none. Its block of sections is replaced where it stands; a file
 *   without one gets it on top, since the model attends best to what comes first.
 */
export function composeAgentsFile(existing: string | null, sections: readonly Section[]): string {
  const { before, after } = ownText(existing ?? '');
  const block = sections.map(
    ({ name, content }) =>
      `<!-- mission-control:begin ${name} -->\n${content.replace(ANY_MARKER, '<! --').trimEnd()}\n<!-- mission-control:end ${name} -->`,
  );
  return `${[before, ...block, after].filter((part) => part !== '').join('\n\n')}\n`;
}

/** The sections that a file has, from their begin to their end: their contents by their names. */
export function sectionsIn(existing: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  let open: string | undefined;
  let lines: string[] = [];
  for (const line of existing.replace(/\r\n?/g, '\n').split('\n')) {
    const marker = MARKER.exec(line);
    if (!marker) {
      lines.push(line);
      continue;
    }
    const [, kind, name] = marker;
    if (kind === 'end' && name !== undefined && name === open) found.set(name, lines.join('\n'));
    open = kind === 'begin' ? name : undefined;
    lines = [];
  }
  return found;
}

/** The characters of a file that are the agent's own. */
export function ownTextLength(existing: string | null): number {
  const { before, after } = ownText(existing ?? '');
  return before.length + after.length;
}

/**
 * What stands before our first marker, and what stands after it outside of sections; all of it after, when there is no
 * marker. A section without its end goes up
 * to the next marker, or to the end of the file: there it is what a cut-off write has left.
 */
function ownText(existing: string): { before: string; after: string } {
  const before: string[] = [];
  const after: string[] = [];
  let kept = before;
  let inside = false;
  let found = false;
  for (const line of existing.replace(/\r\n?/g, '\n').split('\n')) {
    const marker = MARKER.exec(line);
    if (marker) {
      kept = after;
      found = true;
      inside = marker[1] === 'begin';
    } else if (!inside) {
      kept.push(line);
    }
  }
  const text = (lines: string[]) => lines.join('\n').replace(/^\s*\n|\s+$/g, '');
  return found ? { before: text(before), after: text(after) } : { before: '', after: text(before) };
}
