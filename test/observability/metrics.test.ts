import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { AgentEvents, DeleteAgent } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';

const DOCS = fileURLToPath(new URL('../../docs', import.meta.url));
const page = readFileSync(path.join(DOCS, 'observability.md'), 'utf8');
const dashboard = readFileSync(path.join(DOCS, 'grafana-dashboard.json'), 'utf8');

const NameOfTheCaller = graphql(`
  query NameOfTheCaller { viewer { __typename } gateways(first: 1) { nodes { __typename } } }
`);

/** A line of what /metrics tells. */
interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

describe('metrics', () => {
  let gateway: Simulator;
  let mc: MissionControl;
  beforeAll(async () => {
    gateway = await startSimulator({ agents: 'live' });
    mc = await startMissionControl();
  });
  afterAll(async () => {
    await mc.stop();
    await gateway.stop();
  });

  const read = async () => (await fetch(`${mc.url}/metrics`)).text();
  /** The sum of the samples that have these labels. */
  const sumOf = (text: string, name: string, labels: Record<string, string> = {}) =>
    samplesOf(text)
      .filter((sample) => sample.name === name)
      .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
      .reduce((total, { value }) => total + value, 0);
  /** What is asked for within a second is told as before, and the fleet is counted once in five. */
  const told = (name: string, labels: Record<string, string>, value: number) =>
    eventually(
      async () => sumOf(await read(), name, labels),
      (sum) => sum === value,
      12_000,
    );

  it('tell what has happened and how things stand, without a token and without names', async () => {
    const live = mc.owner.subscribe(AgentEvents);
    await live.connected;
    const { id: gatewayId, mainAgent } = await addGateway(mc.owner, gateway);
    const board = await addBoard(mc.owner, gatewayId);
    const agents = [await addAgent(mc.owner, board.id, 'Wanda'), await addAgent(mc.owner, board.id, 'Vera')];
    for (const agent of [mainAgent, ...agents]) await provisioned(mc.owner, agent?.id ?? '');
    await mc.owner.run(NameOfTheCaller);
    expect((await mc.as('mco_wrong').ask(NameOfTheCaller)).status).toBe(401);
    await fetch(`${mc.url}/made-up-by-somebody`);
    const delivered = live.received.length;

    await told('mission_control_graphql_operations_total', { field: 'createAgent', outcome: 'ok' }, 2);
    await told('mission_control_agents', {}, 3);
    await told('mission_control_agents_due', {}, 0);
    const response = await fetch(`${mc.url}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = await response.text();
    const sum = (name: string, labels: Record<string, string> = {}) => sumOf(text, `mission_control_${name}`, labels);

    expect(sum('graphql_operations_total', { type: 'query', field: 'several' })).toBe(1);
    expect(sum('graphql_operation_duration_seconds_count', { field: 'createAgent' })).toBe(2);
    expect(sum('graphql_errors_total', { code: 'UNAUTHENTICATED' })).toBe(1);
    expect(sum('http_requests_total', { path: '/graphql', status: '401' })).toBe(1);
    expect(sum('http_requests_total', { path: 'other', status: '404' })).toBe(1);
    expect(sum('subscriptions_open', { field: 'agentEvents' })).toBe(1);
    expect(sum('websockets_open')).toBe(1);
    expect(sum('deliveries_total')).toBeGreaterThanOrEqual(delivered);
    expect(sum('provisioning_duration_seconds_count', { outcome: 'succeeded' })).toBe(3);
    expect(sum('provisioning_step_duration_seconds_count', { step: 'ISSUE_TOKEN', outcome: 'changed' })).toBe(3);
    expect(sum('gateway_request_duration_seconds_count', { method: 'config.patch', outcome: 'ok' })).toBeGreaterThan(0);
    expect(sum('gateway_connections', { state: 'CONNECTED' })).toBe(1);
    expect(sum('gateways', { state: 'CONNECTED' })).toBe(1);
    expect(sum('database_pool_connections') > 0).toBe(inject('postgres') !== null);
    expect(sum('agents_by_phase', { phase: 'SUCCEEDED' })).toBe(3);

    for (const told of ['NameOfTheCaller', 'made-up', 'Wanda', 'Launch', gatewayId, agents[0]?.id ?? '', gateway.token])
      expect(text).not.toContain(told);

    await live.stop();
    await mc.owner.run(DeleteAgent, { id: agents[0]?.id ?? '' });
    await told('mission_control_subscriptions_open', {}, 0);
    await told('mission_control_provisioning_duration_seconds_count', { outcome: 'removed' }, 1);
  });

  it('are the ones of the page, each with its type and labels', async () => {
    const text = await read();
    const shown = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => ({ name, type }));
    const rows = [...page.matchAll(/^\| `([a-z_0-9]+)` \| (\w+) \| (.*?) ?\| (.+) \|$/gm)];
    const documented = rows.map(([, name = '', type = '', labels = '']) => ({ name, type, labels }));
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect(documented.map(({ name, type }) => ({ name, type })).sort(byName)).toEqual(shown.sort(byName));

    const samples = samplesOf(text);
    for (const { name, type, labels } of documented) {
      const suffix = type === 'histogram' ? '_count' : '';
      const used = new Set(
        samples.filter((sample) => sample.name === name + suffix).flatMap((sample) => Object.keys(sample.labels)),
      );
      const named = labels.match(/(?<=`)\w+(?=`)/g) ?? [];
      // Some are told only where something of that kind was counted.
      for (const label of used) expect(named, name).toContain(label);
      if (used.size > 0) expect([...used].sort(), name).toEqual(named.sort());
    }
  });

  it('are what the dashboard, and what the page is alarmed by, ask for', () => {
    const documented = new Set(
      [...page.matchAll(/^\| `([a-z_0-9]+)` \| (\w+) \|/gm)].flatMap(([, name = '', type = '']) =>
        type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
      ),
    );
    const { panels } = JSON.parse(dashboard) as { panels: { title: string; targets?: { expr: string }[] }[] };
    const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    expect(queries.length).toBeGreaterThan(10);
    const alarms = [...page.matchAll(/^\| `([^`]+[<>] ?[\d.]+)`/gm)].map(([, expression = '']) => expression);
    expect(alarms.length).toBeGreaterThan(3);
    for (const query of [...queries, ...alarms]) {
      const names = query.match(/\b(mission_control|nodejs|process)_\w+/g) ?? [];
      expect(names, query).not.toEqual([]);
      for (const name of names) expect(documented, query).toContain(name);
    }
  });
});

function samplesOf(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', labels = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? expect.fail(line);
      const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', text = '']) => [label, text]);
      return { name, labels: Object.fromEntries(pairs), value: Number(value) };
    });
}
