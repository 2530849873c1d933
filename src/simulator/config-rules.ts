import { type Dict, isDict } from './wire.ts';

export interface Issue {
  path: string;
  message: string;
}

const words = (list: string) => new Set(list.split(' '));

// Keys as OpenClaw 2026.9.6 answers in config.schema and config.schema.lookup.
const ROOT_KEYS = words(
  'meta env wizard diagnostics logging update telemetry browser ui secrets auth accessGroups acp models nodeHost agents worktreeRoot worktreeAcceleration tools security bindings broadcast attachments messages tts commands approvals session cron transcripts hooks channels discovery talk gateway cloudWorkers desktop memory mcp skills plugins surfaces proxy',
);
const AGENTS_KEYS = words('ownership defaults entries');
const ENTRY_KEYS = words(
  'name description workspace cwd agentDir model utilityModel decisionModel models modelPolicy thinkingDefault verboseDefault toolProgressDetail reasoningDefault fastModeDefault contextInjection bootstrapMaxChars bootstrapTotalMaxChars experimental skills subagents embeddedAgent params runtime memory humanDelay typingMode tts skillsLimits contextLimits heartbeat identity groupChat sandbox tools default',
);
const HEARTBEAT_KEYS = words(
  'every activeHours model session target directPolicy to accountId prompt timeoutSeconds lightContext isolatedSession',
);
const IDENTITY_KEYS = words('name theme emoji avatar');
const TOOLS_KEYS = words(
  'profile allow alsoAllow deny byProvider toolsBySender web github media links sessions loopDetection toolSearch codeMode swarm message agentToAgent elevated exec fs subagents sandbox sessions_spawn updatePlan',
);

const ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** What the gateway finds wrong with a configuration, in its words, in the order found. */
export function findIssues(config: Dict): Issue[] {
  const issues = [...unknownKeys(config, ROOT_KEYS, ''), ...section(config.tools, TOOLS_KEYS, 'tools')];
  const agents = isDict(config.agents) ? config.agents : {};
  issues.push(...unknownKeys(agents, AGENTS_KEYS, 'agents'));
  const entries = isDict(agents.entries) ? agents.entries : {};
  for (const [id, entry] of Object.entries(entries)) issues.push(...entryIssues(id, entry));
  if (issues.length === 0 && Object.keys(entries).length > 1 && agents.ownership !== 'explicit') {
    issues.push({
      path: 'agents.ownership',
      message:
        'multi-agent rosters require agents.ownership="explicit" or one legacy default=true marker; add agents.ownership="explicit" or run openclaw doctor',
    });
  }
  return issues;
}

/** `invalid config: agents.entries["Bad Id"]: Invalid key in record` */
export function describeIssue(issue: Issue): string {
  const place = issue.path.replace(/\.([^.]*[^\w.-][^.]*)$/, '["$1"]') || '<root>';
  return `invalid config: ${place}: ${issue.message}`;
}

function entryIssues(id: string, entry: unknown): Issue[] {
  const path = `agents.entries.${id}`;
  if (!ID.test(id)) return [{ path, message: 'Invalid key in record' }];
  if (!isDict(entry)) return [{ path, message: 'Invalid input: expected object' }];
  const issues = [
    ...unknownKeys(entry, ENTRY_KEYS, path),
    ...section(entry.heartbeat, HEARTBEAT_KEYS, `${path}.heartbeat`),
    ...section(entry.identity, IDENTITY_KEYS, `${path}.identity`),
    ...section(entry.tools, TOOLS_KEYS, `${path}.tools`),
  ];
  const every = isDict(entry.heartbeat) ? entry.heartbeat.every : undefined;
  if (every !== undefined && durationMs(every) === undefined) {
    issues.push({ path: `${path}.heartbeat.every`, message: 'invalid duration (use ms, s, m, h)' });
  }
  return issues;
}

function section(value: unknown, keys: Set<string>, path: string): Issue[] {
  return isDict(value) ? unknownKeys(value, keys, path) : [];
}

function unknownKeys(value: Dict, keys: Set<string>, path: string): Issue[] {
  const unknown = Object.keys(value).filter((key) => !keys.has(key));
  if (unknown.length === 0) return [];
  const named = unknown.map((key) => `"${key}"`).join(', ');
  return [{ path, message: `Unrecognized key${unknown.length > 1 ? 's' : ''}: ${named}` }];
}

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `"10m"` in milliseconds; a bare number means minutes. Undefined when it is no duration. */
export function durationMs(value: unknown): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(typeof value === 'string' ? value.trim() : '');
  if (!match) return undefined;
  return Number(match[1]) * (UNITS[match[2] ?? 'm'] ?? 0);
}
