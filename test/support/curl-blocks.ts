/** The calls that a rendered TOOLS.md gives an agent, for running them as the agent would. */

export interface CurlBlock {
  /** The heading above it. */
  title: string;
  /** What the agent's shell runs. */
  script: string;
}

/** Every sh block of a document that calls curl. */
export function curlBlocks(markdown: string): CurlBlock[] {
  const blocks: CurlBlock[] = [];
  let title = '';
  let script: string[] | null = null;
  for (const line of markdown.split('\n')) {
    if (script !== null && line === '```') {
      if (script.some((part) => part.startsWith('curl '))) blocks.push({ title, script: script.join('\n') });
      script = null;
    } else if (script !== null) {
      script.push(line);
    } else if (line === '```sh') {
      script = [];
    } else if (line.startsWith('#')) {
      title = line.replace(/^#+ /, '');
    }
  }
  return blocks;
}

/**
 * The script with other values in its placeholder lines, as an agent fills them in.
 *
 * @param values what stands after `NAME=`, quoted for sh: an id as it is, a text as a JSON string in single quotes.
 */
export function fillIn(script: string, values: Readonly<Record<string, string>>): string {
  return Object.entries(values).reduce((filled, [name, value]) => {
    const line = new RegExp(`^${name}=.*$`, 'm');
    if (!line.test(filled)) throw new Error(`The call has no line ${name}=…`);
    return filled.replace(line, () => `${name}=${value}`);
  }, script);
}

/** A text as the calls want it: JSON, in single quotes, its apostrophes written as \u0027. */
export function shellJson(value: unknown): string {
  return `'${JSON.stringify(value).replaceAll("'", '\\u0027')}'`;
}
