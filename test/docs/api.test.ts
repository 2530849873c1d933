import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { eventually } from '../support/eventually.ts';
import { ADMIN_TOKEN, type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { difference, filledIn, type Learnt, missingFrom } from './likeness.ts';
import { readPage, type Step } from './page.ts';
import { type Output, runScript } from './script.ts';
import { Stream } from './stream.ts';

const DOCS = fileURLToPath(new URL('../../docs', import.meta.url));
const examples = new Map(
  globSync('*', { cwd: path.join(DOCS, 'examples') }).map((file) => [
    file,
    readFileSync(path.join(DOCS, 'examples', file), 'utf8').trimEnd(),
  ]),
);
const page = readPage(readFileSync(path.join(DOCS, 'api.md'), 'utf8'), examples);
/** The first script sets what the others use. Each is a shell of its own. */
const settings = page.steps.find(({ kind }) => kind === 'shell');

const DEADLINE_MS = 20_000;

/** Everything that docs/api.md shows is run, from its beginning to its end, against a server with a simulated gateway. */
describe('docs/api.md', () => {
  let gateway: Simulator;
  let mc: MissionControl;
  const learnt: Learnt = new Map();
  const followed: { line: number; stream: Stream; values: unknown[] }[] = [];

  beforeAll(async () => {
    gateway = await startSimulator();
    mc = await startMissionControl();
    for (const [shown, real] of [
      ['http://127.0.0.1:8000', mc.url],
      ['mco_…', ADMIN_TOKEN],
      ['ws://127.0.0.1:18789', gateway.url],
      ['GATEWAY-TOKEN', gateway.token],
      ['~/.openclaw', gateway.stateDir],
      ['/home/you/.openclaw', gateway.stateDir],
    ] as const)
      learnt.set(shown, real);
  });
  afterAll(async () => {
    for (const { stream } of followed) await stream.stop();
    await mc.stop();
    await gateway.stop();
  });

  it.each(page.steps.map((step) => ({ ...step, title: titleOf(step) })))('line $line: $title', async (step) => {
    if (step.kind === 'shell') await run(step, step.script);
    else if (operationOf(step.query) === 'subscription') await follow(step, step.query, step.variables);
    else await ask(step, step.query, step.variables);
  });

  it('has brought about what its subscriptions show', async () => {
    for (const { line, stream, values } of followed)
      await eventually(
        () => ({ line, received: stream.received, missing: missingFrom(stream.received, filled(values), learnt) }),
        ({ missing }) => missing === null,
        DEADLINE_MS,
      );
  });

  async function ask(step: Step, query: string, variables: string | null): Promise<void> {
    const send = async () => {
      const response = await fetch(`${mc.url}/graphql`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${ADMIN_TOKEN}` },
        body: JSON.stringify({ query, variables: variablesOf(variables) }),
      });
      return differs(step, await response.json());
    };
    // What a query shows is reached in the course of time.
    if (operationOf(query) === 'query') await eventually(send, (difference) => difference === null, DEADLINE_MS);
    else expect(await send()).toBeNull();
  }

  async function follow({ line, shown }: Step, query: string, variables: string | null): Promise<void> {
    if (shown?.kind !== 'lines') throw new Error('A subscription shows what comes, as json lines or json later.');
    const stream = new Stream(mc.url, ADMIN_TOKEN, { query, variables: variablesOf(variables) });
    followed.push({ line, stream, values: shown.values });
    await stream.accepted();
    if (shown.later) return;
    await eventually(
      () => ({ received: stream.received, missing: missingFrom(stream.received, filled(shown.values), learnt) }),
      ({ missing }) => missing === null,
      DEADLINE_MS,
    );
  }

  async function run(step: Step, script: string): Promise<void> {
    const { shown } = step;
    const before = settings?.kind === 'shell' && settings.line !== step.line ? `${settings.script}\n` : '';
    const isEnough = ({ stdout }: Output) => {
      if (shown?.kind !== 'lines') return false;
      const events = [...stdout.matchAll(/^data: (\{.*\})$/gm)].map(([, json]) => JSON.parse(json ?? ''));
      return missingFrom(events, filled(shown.values), learnt) === null;
    };
    const output = await runScript(filledIn(before + script, learnt), isEnough, DEADLINE_MS);
    if (shown?.kind === 'lines') return expect(isEnough(output), output.stdout).toBe(true);
    expect(output).toMatchObject({ stderr: '', code: 0 });
    if (shown) expect(differs(step, JSON.parse(output.stdout))).toBeNull();
    else expect(output.stdout).toBe('');
  }

  function differs({ shown }: Step, real: unknown): string | null {
    return shown?.kind === 'json' ? difference(filled(shown.value), real, learnt) : 'The page shows no answer.';
  }

  const filled = <T>(shown: T): T => JSON.parse(filledIn(JSON.stringify(shown), learnt)) as T;

  const variablesOf = (text: string | null) =>
    text === null ? {} : (JSON.parse(filledIn(text, learnt)) as Record<string, unknown>);
});

describe('the blocks of docs/api.md', () => {
  it('that are operations, variables or code are the files of docs/examples, all of them', () => {
    const shown = new Set(page.files.map(({ text }) => text));
    const texts = new Set(examples.values());
    for (const { line, text } of page.files)
      expect(texts.has(text), `the block of line ${line} is a file of docs/examples`).toBe(true);
    for (const [file, text] of examples) expect(shown.has(text), `docs/examples/${file} is on the page`).toBe(true);
  });

  it('that are run show what they answer, but for the settings', () => {
    expect(page.steps.filter(({ shown }) => shown === null)).toEqual([settings]);
  });
});

function titleOf(step: Step): string {
  if (step.kind === 'shell') return 'a script';
  const [file] = [...examples].find(([, text]) => text === step.query) ?? ['an operation that is no file'];
  return file;
}

function operationOf(query: string): string {
  const [definition] = parse(query).definitions;
  return definition?.kind === 'OperationDefinition' ? definition.operation : 'none';
}
