import {
  CaptureTag,
  Context,
  type Emitter,
  Liquid,
  LiquidError,
  type Parser,
  RenderTag,
  type TagToken,
  type Template,
  type TopLevelToken,
  toValue,
  toValueSync,
} from 'liquidjs';

/**
 * Liquid for documents: strict, and closed. A template sees the variables that it is given and the partials of the
 * template folder, held in memory; there is no file, no prototype and no function within its reach.
 */

/** Milliseconds that one document may take. Rendering is synchronous, so this also bounds how long others wait. */
const RENDER_LIMIT_MS = 1_000;
/** Characters of one template with its partials. */
const PARSE_LIMIT = 100_000;
/** liquidjs's own unit: about one per character or list item that a filter or loop allocates. */
const MEMORY_LIMIT = 1_000_000;
/** Characters that a document or a capture may grow to; the largest delivery, the heartbeat's scratch, takes 262,144. */
const OUTPUT_LIMIT = 300_000;

const EXTENSION = '.liquid';
/** Of a template's own text, how much an error may repeat. */
const EXCERPT = 80;

/** Values for a template: plain data only, since liquidjs calls functions that it meets. */
export type TemplateVariables = Readonly<Record<string, string | boolean | null | readonly string[]>>;

/** A template that cannot be used. The message is one sentence for its author and holds no variable's value. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  /** The file in the template folder, or the field that the template was given in. */
  readonly template: string;
  /** From 1; null when the fault has no place, such as a template that is too long. */
  readonly line: number | null;
  /** The variable that does not exist, when that is the fault. */
  readonly variable: string | null;

  constructor(message: string, place: { template: string; line?: number | null; variable?: string | null }) {
    super(message);
    this.template = place.template;
    this.line = place.line ?? null;
    this.variable = place.variable ?? null;
  }
}

export interface Templates {
  /** Whether the folder has this template, for example `TOOLS.md` or `main/TOOLS.md`. */
  has(name: string): boolean;
  /** Renders a template of the folder. @throws TemplateError */
  render(name: string, variables: TemplateVariables): string;
  /** Renders a template that someone wrote into a field. @throws TemplateError, with the field as its template */
  renderSource(source: string, field: string, variables: TemplateVariables): string;
}

/**
 * Parses all templates, so that a mistake in any of them shows now.
 *
 * @param files from the path in the folder (`main/TOOLS.md.liquid`) to the text.
 * @throws TemplateError
 */
export function createTemplates(files: ReadonlyMap<string, string>): Templates {
  const engine = createEngine(files);
  const pathBySource = new Map([...files].map(([path, source]) => [source, path]));
  const parsed = new Map<string, Template[]>();
  for (const [path, source] of files) {
    const template = attempt(path, source, () => engine.parse(source, path));
    parsed.set(path, template);
  }

  return {
    has: (name) => parsed.has(name + EXTENSION),
    render(name, variables) {
      const path = name + EXTENSION;
      const template = parsed.get(path);
      if (template === undefined) throw new TemplateError(`There is no template ${path}.`, { template: path });
      return attempt(path, files.get(path) ?? '', () => render(engine, template, variables));
    },
    renderSource: (source, field, variables) =>
      attempt(field, source, () => render(engine, engine.parse(source, field), variables)),
  };

  function attempt<T>(name: string, source: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw templateErrorOf(error, (text) => (text === source ? name : pathBySource.get(text)), { name, source });
    }
  }
}

function createEngine(files: ReadonlyMap<string, string>): Liquid {
  // liquidjs looks partials up by plain indexing, so an object with a prototype would offer "constructor" as a partial.
  const partials: Record<string, string> = Object.assign(Object.create(null), Object.fromEntries(files));
  const engine = new Liquid({
    templates: partials,
    extname: EXTENSION,
    strictVariables: true,
    strictFilters: true,
    ownPropertyOnly: true,
    relativeReference: false,
    cache: true,
    parseLimit: PARSE_LIMIT,
    renderLimit: RENDER_LIMIT_MS,
    memoryLimit: MEMORY_LIMIT,
  });
  // Documents need neither, and both take partials by other ways than the guarded one below.
  delete engine.tags.layout;
  delete engine.tags.include;
  // `where_exp` and its kind read a text as Liquid, so somebody's name could be read as a part of the template.
  for (const filter of Object.keys(engine.filters)) if (filter.endsWith('_exp')) delete engine.filters[filter];

  engine.registerTag(
    'render',
    class extends RenderTag {
      constructor(token: TagToken, rest: TopLevelToken[], liquid: Liquid, parser: Parser) {
        const name = /^\s*(["'])([\w-]+(?:\/[\w-]+)*)\1/.exec(token.args)?.[2];
        if (name === undefined) throw new Error('the name of a partial is a plain text in quotes');
        if (!files.has(name + EXTENSION)) throw new Error(`there is no partial "${name}"`);
        super(token, rest, liquid, parser);
      }
    },
  );
  // A loop in a capture can pile up hundreds of megabytes that memoryLimit does not see: liquidjs counts filters and lists.
  engine.registerTag(
    'capture',
    class extends CaptureTag {
      override *render(context: Context): Generator<unknown, void, string> {
        const text = yield engine.renderer.renderTemplates(this.templates, context, new BoundedText());
        context.bottom()[this.variable] = text;
      }
    },
  );
  return engine;
}

/** Collects what a template writes, and stops it where no document could be that long. */
class BoundedText implements Emitter {
  buffer = '';

  write(value: unknown): void {
    this.buffer += textOf(value);
    if (this.buffer.length > OUTPUT_LIMIT) throw new Error('output limit exceeded');
  }
}

function textOf(value: unknown): string {
  const plain: unknown = toValue(value);
  return Array.isArray(plain) ? plain.map(textOf).join('') : String(plain ?? '');
}

function render(engine: Liquid, template: Template[], variables: TemplateVariables): string {
  const context = new Context({ ...variables }, engine.options, { sync: true });
  return String(toValueSync<unknown>(engine.renderer.renderTemplates(template, context, new BoundedText())));
}

/**
 * What went wrong, for the template's author. liquidjs's own messages are not passed on as they are: for
 * `{{ list[auth_token] }}` it names the value of auth_token, and its stacks carry whole lines.
 */
function templateErrorOf(
  error: unknown,
  nameOf: (source: string) => string | undefined,
  outermost: { name: string; source: string },
): TemplateError {
  const token = LiquidError.is(error) ? error.token : undefined;
  const template = (token && nameOf(token.input)) ?? outermost.name;
  const source = token?.input ?? outermost.source;
  const line = token?.getPosition()[0] ?? null;
  const where = line === null ? `The template ${template}` : `Line ${line} of the template ${template}`;
  const cause = LiquidError.is(error) ? (error.originalError ?? error) : error;

  if (cause instanceof Error && 'variableName' in cause) {
    const variable = nameInSource(String(cause.variableName), source);
    const named = variable === null ? 'a variable that does not exist' : `the unknown variable ${variable}`;
    return new TemplateError(`${where} uses ${named}.`, { template, line, variable });
  }
  return new TemplateError(`${where} ${faultOf(cause instanceof Error ? cause.message : '')}.`, { template, line });
}

/** The variable as its author wrote it; a name that was put together from values is cut back to its written part. */
function nameInSource(variable: string, source: string): string | null {
  const written = (name: string) => name !== '' && source.includes(name);
  if (written(variable)) return variable.slice(0, EXCERPT);
  const root = variable.split('.')[0] ?? '';
  return written(root) ? root.slice(0, EXCERPT) : null;
}

/** liquidjs has no error codes. Only messages that it makes from a template's text are repeated, never from values. */
const FAULTS: readonly [pattern: RegExp, fault: (match: RegExpExecArray) => string][] = [
  [/^parse length limit/, () => `is longer than ${PARSE_LIMIT} characters`],
  [/^template render limit/, () => `takes longer than ${RENDER_LIMIT_MS} ms to render`],
  [/^(memory alloc|output) limit|^Invalid string length/, () => 'makes too much text'],
  [/^undefined filter: (\w+)/, ([, filter]) => `uses the unknown filter ${excerpt(filter)}`],
  [
    /^tag "?(.+?)"? not found/s,
    ([, tag]) => `has a tag "${excerpt(tag)}" that does not exist or does not belong there`,
  ],
  [
    /^(tag|output) "?(.+?)"? not closed/s,
    ([, kind, text]) => `has ${kind === 'tag' ? 'a tag' : 'an output'} that is never closed: ${excerpt(text)}`,
  ],
  [/^there is no partial "(.+)"/, ([, partial]) => `renders the partial "${excerpt(partial)}", which does not exist`],
  [/^the name of a partial is/, () => 'does not name its partial as plain text in quotes, such as "parts/greeting"'],
  [/call stack/, () => 'renders itself without end'],
];

function faultOf(reason: string): string {
  for (const [pattern, fault] of FAULTS) {
    const match = pattern.exec(reason);
    if (match) return fault(match);
  }
  return 'is not valid Liquid, or gives a filter or tag something that it cannot work with';
}

function excerpt(text = ''): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > EXCERPT ? `${line.slice(0, EXCERPT)}…` : line;
}
