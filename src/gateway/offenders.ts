import type { GatewayError } from './errors.ts';

/**
 * Which calls brought the value that a gateway refuses: those with an agent whose path, `agents.entries.<id>…`, is in the message or
 * in `details.issues[].path` (measured on OpenClaw 2026.9.6). All of them when it is about something else than agents, or about an
 * agent of none of them. Null when it is about agents and names none: then it can only be tried out.
 */
export function offendersOf<C extends { patch: Readonly<Record<string, unknown>> }>(
  error: GatewayError,
  calls: readonly C[],
): readonly C[] | null {
  if (calls.length === 1) return calls;
  const texts = [error.message, ...issuePaths(error.details)];
  const named = calls.filter((call) => Object.keys(call.patch).some((id) => texts.some((text) => names(text, id))));
  if (named.length > 0) return named;
  const namesNone = texts.some((text) => /agents\.entries(?!\.[\w-]|\[)/.test(text));
  return namesNone ? null : calls;
}

// The id ends where the path goes on, so that mc-1 is not found in mc-10. An id that is no word stands in brackets.
function names(text: string, agentId: string): boolean {
  if (text.includes(`agents.entries[${JSON.stringify(agentId)}]`)) return true;
  const path = `agents.entries.${agentId}`;
  for (let at = text.indexOf(path); at >= 0; at = text.indexOf(path, at + 1)) {
    const next = text[at + path.length];
    if (next === undefined || !/[\w-]/.test(next)) return true;
  }
  return false;
}

function issuePaths(details: unknown): string[] {
  if (typeof details !== 'object' || details === null || !('issues' in details)) return [];
  const { issues } = details;
  if (!Array.isArray(issues)) return [];
  return issues.flatMap((issue: unknown) =>
    typeof issue === 'object' && issue !== null && 'path' in issue && typeof issue.path === 'string'
      ? [issue.path]
      : [],
  );
}
