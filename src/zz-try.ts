import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { mkdtempSync } from 'node:fs';
import { readConfig } from './config.ts';
import { createLog } from './log.ts';
import { startServer } from './server.ts';
import { startSimulator } from './simulator/simulator.ts';

const n = Number(process.argv[2] ?? 3);
const sim = await startSimulator({ agents: 'live' } as never);
const token = 'x'.repeat(40);
const t0 = performance.now();
const server = await startServer(readConfig({ PORT: '0', DATA_DIR: mkdtempSync('/tmp/e2e/d'), ADMIN_TOKEN: token, LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn' }), createLog('warn'));
console.log('start', performance.now() - t0, server.url);
const q = async (query: string, variables = {}, headers: Record<string,string> = { authorization: `Bearer ${token}` }) => {
  const r = await fetch(server.url + '/graphql', { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ query, variables }) });
  const j: any = await r.json();
  if (j.errors) console.log(JSON.stringify(j.errors));
  return j.data;
};
const ws = createClient({ url: server.url.replace('http', 'ws') + '/graphql', webSocketImpl: WebSocket, connectionParams: { Authorization: `Bearer ${token}` } });
(async () => { for await (const e of ws.iterate({ query: 'subscription { agentEvents { type status liveness agent { name } step { name outcome durationMs detail } message } }' })) { const x: any = e.data?.agentEvents; if (n < 6) console.log((performance.now() - t0).toFixed(0), x ? [x.type, x.agent?.name, x.status, x.liveness, x.step && `${x.step.name} ${x.step.outcome} ${x.step.durationMs?.toFixed(1)} ${x.step.detail ?? ''}`].join(' ') : JSON.stringify(e)); } })().catch((e) => console.log('ws', e));
const g = (await q('mutation($i: CreateGatewayInput!) { createGateway(input: $i) { __typename ... on Gateway { id } ... on Error { message } } }', { i: { name: 'G', url: sim.url, token: sim.token, workspaceRoot: sim.stateDir } })).createGateway;
const b = (await q('mutation($i: CreateBoardInput!) { createBoard(input: $i) { __typename ... on Board { id lead { id name gateway { name } } } ... on Error { message } } }', { i: { name: 'B', gatewayId: g.id, lead: { name: 'Lena' } } })).createBoard;
console.log(g, b);
const t1 = performance.now();
const ids = await Promise.all(Array.from({ length: n }, async (_, i) => (await q('mutation($i: CreateAgentInput!) { createAgent(input: $i) { __typename ... on Agent { id name status } ... on Error { message } } }', { i: { name: 'W' + i, boardId: b.id } })).createAgent.id));
console.log('created', performance.now() - t1);
for (;;) {
  const d = await q('{ agents(first: 100) { totalCount nodes { name status liveness provisioning { phase lastError { message hint } hint } } } }');
  const phases = d.agents.nodes.map((a: any) => a.provisioning.phase);
  if (phases.every((p: string) => p === 'SUCCEEDED' || p === 'FAILED')) { console.log('all', performance.now() - t1, JSON.stringify(n < 6 ? d.agents : phases.length)); break; }
  await new Promise((r) => setTimeout(r, 50));
}
console.log('patches', sim.requests.filter((r) => r.method === 'config.patch').length, 'requests', sim.requests.length);
await new Promise((r) => setTimeout(r, 500));
console.log(JSON.stringify(await q('query($id: ID!) { agent(id: $id) { status liveness lastHeartbeatAt documents { name delivery file change } files { name size missing } provisioning { generation steps { name outcome durationMs detail } } gateway { connection { state serverVersion latencyMs hint } sessions { key label agent { name } } mainAgent { name } } events(last: 3) { nodes { type } } } }', { id: ids[0] }), null, 1).slice(0, 6000));
const t2 = performance.now();
console.log(await q('mutation($id: ID!) { deleteAgent(id: $id) { __typename ... on Agent { status } } }', { id: ids[0] }));
while ((await q('query($id: ID!) { agent(id: $id) { status } }', { id: ids[0] })).agent) await new Promise((r) => setTimeout(r, 20));
console.log('deleted', performance.now() - t2, sim.agents().length, Object.keys((sim.config() as any).agents.entries).length);
console.log(sim.reports.slice(0, 3));
await ws.dispose();
const t3 = performance.now();
await server.stop(); console.log('stopped', performance.now() - t3);
await sim.stop();
