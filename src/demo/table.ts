import { styleText } from 'node:util';
import type { DemoAgentFragment, Liveness } from '../generated/client/graphql.ts';
import type { AgentEvent, FleetView, GatewayState } from './fleet-view.ts';
import { ago, clock, cut, duration, padded, wrap } from './text.ts';

export interface Look {
  now: Date;
  columns: number;
  colours: boolean;
}

type Colour = 'bold' | 'dim' | 'green' | 'yellow' | 'red' | 'cyan';

interface Column {
  title: string;
  width: number;
  cell: (agent: DemoAgentFragment, now: Date) => { text: string; colour?: Colour };
}

const KINDS = { GATEWAY_MAIN: 'main', BOARD_LEAD: 'lead', BOARD_WORKER: 'worker' } as const;
const LIVENESS: Record<Liveness, Colour> = { ONLINE: 'green', LATE: 'yellow', OFFLINE: 'red', UNKNOWN: 'dim' };

/** 80 columns in all, with a space between two. */
const COLUMNS: Column[] = [
  {
    title: 'AGENT',
    width: 16,
    cell: ({ name, identityProfile: { emoji } }) => ({ text: emoji ? `${emoji} ${name}` : name }),
  },
  { title: 'KIND', width: 6, cell: ({ kind }) => ({ text: KINDS[kind], colour: 'dim' }) },
  {
    title: 'STATUS',
    width: 12,
    cell: ({ status }) => ({ text: status, ...(status === 'ACTIVE' && { colour: 'cyan' as const }) }),
  },
  { title: 'LIVENESS', width: 8, cell: ({ liveness }) => ({ text: liveness, colour: LIVENESS[liveness] }) },
  { title: 'PROVISIONING', width: 23, cell: (agent, now) => provisioningOf(agent, now) },
  {
    title: 'SEEN',
    width: 10,
    cell: ({ lastSeenAt }, now) => ({ text: lastSeenAt === null ? 'never' : ago(new Date(lastSeenAt), now) }),
  },
];

/** How everything stands, and below it the latest events that fit. */
export function frame(view: FleetView, look: Look, lines: number): string[] {
  const { columns, colours } = look;
  const top = [...overview(view, look), ''];
  const room = Math.max(0, Math.min(12, lines - top.length));
  const events = room === 0 ? [] : view.events.slice(-room);
  return [...top, ...events.map((event) => paint(cut(eventLine(view, event), columns), 'dim', colours))].slice(
    0,
    lines,
  );
}

/** How the gateway and the agents stand, and what an operator should know about them. */
export function overview(view: FleetView, look: Look): string[] {
  return [...gatewayLines(view, look), '', ...agentTable(view, look), ...notes(view, look.columns)];
}

/** The agents, one a line, below the titles. */
function agentTable(view: FleetView, { now, columns, colours }: Look): string[] {
  const rows = view.agents.map((agent) => COLUMNS.map(({ cell }) => cell(agent, now)));
  const titles = COLUMNS.map(({ title }) => ({ text: title, colour: 'bold' as const }));
  return [titles, ...rows].map((cells) => {
    let left = columns;
    const shown = cells.map(({ text, colour }: { text: string; colour?: Colour }, index) => {
      const width = Math.min(COLUMNS[index]?.width ?? 0, left);
      left = Math.max(0, left - width - 1);
      const fitted = width === 0 ? '' : padded(text, width);
      return colour === undefined ? fitted : paint(fitted, colour, colours);
    });
    return shown.join(' ').trimEnd();
  });
}

/** One event, for example: 14:03:07.123  Ada  PROVISIONING  REGISTER CHANGED 0.6 s */
export function eventLine(view: FleetView, event: AgentEvent): string {
  const told = [
    clock(new Date(event.at)),
    padded(view.nameOf(event.agentId), 14),
    padded(event.type, 16),
    detailOf(event),
  ];
  return told.join('  ').trimEnd();
}

function detailOf({ type, step, status, previousStatus, liveness, message }: AgentEvent): string {
  if (step) {
    const took = step.durationMs === null ? null : duration(step.durationMs);
    return [step.name, step.outcome, took, step.detail].filter((part) => part !== null).join(' ');
  }
  if (type === 'STATUS_CHANGED') return `${previousStatus ?? '?'} → ${status}`;
  if (type === 'LIVENESS_CHANGED') return liveness;
  return message ?? (type === 'HEARTBEAT' ? `reported in, ${status}` : '');
}

const GATEWAY_COLUMNS = 16;

function gatewayLines({ gateways }: FleetView, look: Look): string[] {
  if (gateways === null) return ['Gateway …'];
  if (gateways.length === 0) return ['No gateway yet.'];
  return gateways.map((gateway) => {
    const title = gateways.length === 1 ? 'Gateway' : padded(gateway.name, GATEWAY_COLUMNS);
    return `${title} ${connectionOf(gateway, look)}`;
  });
}

function connectionOf({ connection }: GatewayState, { columns, colours }: Look): string {
  const { state, serverVersion, lastError } = connection;
  const good = state === 'CONNECTED';
  const told = [state, serverVersion && `OpenClaw ${serverVersion}`, good ? null : lastError];
  return paint(cut(told.filter(Boolean).join('  '), columns - GATEWAY_COLUMNS - 1), good ? 'green' : 'yellow', colours);
}

/** Why something does not go on, and what to do about it. A gateway's hint stands for the agents that wait for it. */
function notes({ gateways, agents, trouble }: FleetView, columns: number): string[] {
  const told = trouble === null ? [] : [trouble];
  const hinted = new Set<string>();
  for (const { id, name, connection } of gateways ?? []) {
    if (!connection.hint) continue;
    hinted.add(id);
    told.push(gateways?.length === 1 ? connection.hint : `${name}: ${connection.hint}`);
  }
  for (const { name, gateway, provisioning } of agents) {
    const { lastError, hint } = provisioning;
    if (hint) told.push(`${name}: ${hint}`);
    if (lastError && !hinted.has(gateway.id)) told.push(`${name}: ${lastError.message} ${lastError.hint ?? ''}`);
  }
  return told.length === 0 ? [] : ['', ...told.flatMap((text) => wrap(text.trim(), columns))];
}

function provisioningOf({ provisioning }: DemoAgentFragment, now: Date): { text: string; colour?: Colour } {
  const { phase, startedAt, finishedAt, nextAttemptAt, steps } = provisioning;
  const since = (from: string, to: string | null) =>
    duration((to === null ? now : new Date(to)).getTime() - new Date(from).getTime());
  switch (phase) {
    case 'PENDING':
      return { text: 'waits for its turn', colour: 'dim' };
    case 'RUNNING': {
      const step = steps.at(-1);
      if (!step) return { text: 'begins', colour: 'cyan' };
      const took = step.durationMs === null ? since(step.startedAt, null) : duration(step.durationMs);
      return { text: `${step.name} ${took}`, colour: 'cyan' };
    }
    case 'SUCCEEDED':
      return {
        text: `SUCCEEDED${startedAt && finishedAt ? ` in ${since(startedAt, finishedAt)}` : ''}`,
        colour: 'green',
      };
    case 'RETRYING': {
      const wait = nextAttemptAt === null ? 0 : Math.max(0, new Date(nextAttemptAt).getTime() - now.getTime());
      return { text: `RETRYING in ${Math.ceil(wait / 1000)} s`, colour: 'yellow' };
    }
    case 'FAILED':
      return { text: 'FAILED', colour: 'red' };
  }
}

function paint(text: string, colour: Colour, colours: boolean): string {
  return colours ? styleText(colour, text, { validateStream: false }) : text;
}
