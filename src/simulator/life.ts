import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Gateway } from './gateway.ts';
import { canRunCommands } from './tools.ts';
import { type Dict, isDict } from './wire.ts';

/** One attempt of a simulated agent to report in. */
export interface Report {
  agentId: string;
  at: number;
  ok: boolean;
  /** What the agent would answer: that it reported in, or why it could not. */
  text: string;
}

const REPORT_IN = 'mutation { heartbeat(input: {}) { __typename ... on Error { message } } }';
const PATIENCE_MS = 10_000;

/**
 * What an agent with a model and curl does when it is woken: it looks into its own AGENTS.md for
 * `MISSION_CONTROL_URL=…` and `MISSION_CONTROL_TOKEN=…` and reports in there, by GraphQL over HTTP.
 */
export async function live(gateway: Gateway, agentId: string, signal: AbortSignal): Promise<string> {
  const report = await reportIn(gateway, agentId, signal);
  gateway.reports.push({ agentId, at: Date.now(), ...report });
  return report.text;
}

async function reportIn(
  gateway: Gateway,
  agentId: string,
  signal: AbortSignal,
): Promise<{ ok: boolean; text: string }> {
  if (!canRunCommands(gateway, agentId)) return { ok: false, text: 'I have no tool that runs commands.' };
  const document = await readFile(join(gateway.agents.workspace(agentId), 'AGENTS.md'), 'utf8').catch(() => '');
  const url = setting(document, 'MISSION_CONTROL_URL');
  const token = setting(document, 'MISSION_CONTROL_TOKEN');
  if (!url || !token) return { ok: false, text: 'My AGENTS.md names no Mission Control.' };
  try {
    const response = await fetch(`${url.replace(/\/+$/, '')}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-agent-token': token },
      body: JSON.stringify({ query: REPORT_IN }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]),
    });
    const problem = problemOf(await response.json());
    if (problem) return { ok: false, text: `Mission Control said: ${problem}` };
    return { ok: true, text: 'I reported in.' };
  } catch (error) {
    return {
      ok: false,
      text: `Mission Control did not answer: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

/** The value of `NAME=value` on a line of its own, with or without `export` and quotes. */
function setting(document: string, name: string): string | undefined {
  return new RegExp(`^\\s*(?:export\\s+)?${name}=["']?([^\\s"']+)`, 'm').exec(document)?.[1];
}

function problemOf(answer: unknown): string | undefined {
  if (!isDict(answer)) return 'no GraphQL answer';
  if (Array.isArray(answer.errors) && answer.errors.length > 0) return message(answer.errors[0]);
  const outcome = isDict(answer.data) ? answer.data.heartbeat : undefined;
  if (!isDict(outcome)) return 'no outcome';
  return typeof outcome.message === 'string' ? message(outcome) : undefined;
}

function message(error: unknown): string {
  const { message: said } = isDict(error) ? error : ({} as Dict);
  return typeof said === 'string' ? said : 'an error without a message';
}
