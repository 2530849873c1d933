import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import {
  AdoptAgent,
  DeleteAgent,
  Heartbeat,
  ReadAgent,
  ReprovisionAgent,
  SyncGatewayTemplates,
} from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { entriesOf, workspaceToken } from '../support/workspace.ts';

const FollowSync = graphql(`
  subscription FollowSync($id: ID!) {
    templateSyncProgress(id: $id) {
      id phase total updated unchanged skipped finishedAt
      failures { agent { name } message }
    }
  }
`);

const ReadSync = graphql(`
  query ReadSync($id: ID!) { templateSync(id: $id) { phase total updated unchanged skipped gateway { id } failures { message } } }
`);

let mc: MissionControl;
let templates: string;
const started: Simulator[] = [];
let count = 0;

beforeAll(async () => {
  templates = await mkdtemp(path.join(tmpdir(), 'templates-'));
  await cp(fileURLToPath(new URL('../../templates', import.meta.url)), templates, { recursive: true });
  mc = await startMissionControl({ TEMPLATES_DIR: templates });
});
afterEach(async () => {
  for (const gateway of started.splice(0)) await gateway.stop();
});
afterAll(async () => {
  await mc.stop();
  await rm(templates, { recursive: true });
});

/** A gateway with its main agent and a board of a lead and two workers, all provisioned. */
async function fleet() {
  const gateway = await startSimulator();
  started.push(gateway);
  const { id, mainAgent } = await addGateway(mc.owner, gateway, `Gateway ${++count}`);
  const board = await addBoard(mc.owner, id, { name: `Board ${count}`, lead: 'Lead' });
  const workers = [await addAgent(mc.owner, board.id, 'One'), await addAgent(mc.owner, board.id, 'Two')];
  const ids = [mainAgent?.id ?? '', board.lead?.id ?? '', ...workers.map((worker) => worker.id)];
  const [main, lead, one, two] = await Promise.all(ids.map((id) => provisioned(mc.owner, id)));
  if (!main || !lead || !one || !two) throw new Error('not provisioned');
  return { gateway, gatewayId: id, boardId: board.id, main, lead, one, two, all: [main, lead, one, two] };
}

type SyncInput = { gatewayId: string } & Record<string, unknown>;

async function start(input: SyncInput) {
  const { syncGatewayTemplates } = await mc.owner.run(SyncGatewayTemplates, { input });
  if (syncGatewayTemplates.__typename !== 'TemplateSync') expect.fail(JSON.stringify(syncGatewayTemplates));
  return syncGatewayTemplates;
}

/** Starts a sync and follows it to its end. @returns all that was told of it */
async function sync(input: SyncInput) {
  const { id } = await start(input);
  const progress = mc.owner.subscribe(FollowSync, { id });
  await progress.ended;
  return progress.received.map(({ value }) => value.templateSyncProgress);
}

const soulOf = (agent: { workspacePath: string }) => readFile(path.join(agent.workspacePath, 'SOUL.md'), 'utf8');

describe('syncGatewayTemplates', () => {
  it('finds nothing to write when nothing has changed, and tells its progress to the end', async () => {
    const { gatewayId } = await fleet();
    const told = await sync({ gatewayId });
    expect(told[0]).toMatchObject({ total: 4 });
    expect(told.at(-1)).toMatchObject({
      phase: 'SUCCEEDED',
      total: 4,
      updated: 0,
      unchanged: 4,
      skipped: 0,
      failures: [],
    });
    expect(told.slice(0, -1).every(({ phase }) => phase === 'RUNNING')).toBe(true);
  });

  it('tells its progress to the end also to whom has its id in upper case', async () => {
    const { gatewayId } = await fleet();
    const { id } = await start({ gatewayId, overwrite: true });
    const progress = mc.owner.subscribe(FollowSync, { id: id.toUpperCase() });
    const isOver = () => progress.received.some(({ value }) => value.templateSyncProgress.phase !== 'RUNNING');
    await eventually(isOver, (over) => over);
    await progress.ended;
    expect(progress.received.at(-1)?.value.templateSyncProgress).toMatchObject({ id, phase: 'SUCCEEDED', total: 4 });
  });

  it('writes what a changed template makes different, read afresh, and leaves edits of the others', async () => {
    const { gatewayId, one, two } = await fleet();
    const soul = path.join(templates, 'SOUL.md.liquid');
    const before = await readFile(soul, 'utf8');
    await writeFile(path.join(one.workspacePath, 'MEMORY.md'), 'mine');
    await writeFile(soul, `${before}\nA new line for {{ agent_name }}.\n`);
    const told = await sync({ gatewayId });
    await writeFile(soul, before);
    expect(told.at(-1)).toMatchObject({ phase: 'SUCCEEDED', updated: 4, unchanged: 0 });
    expect(await soulOf(one)).toContain('A new line for One.');
    expect(await soulOf(two)).toContain('A new line for Two.');
    expect(await readFile(path.join(one.workspacePath, 'MEMORY.md'), 'utf8')).toBe('mine');
    expect((await sync({ gatewayId })).at(-1)).toMatchObject({ phase: 'SUCCEEDED', updated: 4 });
  });

  it('takes the agents that its options choose', async () => {
    const { gatewayId, boardId } = await fleet();
    expect((await sync({ gatewayId, boardId })).at(-1)).toMatchObject({ total: 3 });
    expect((await sync({ gatewayId, includeMain: false })).at(-1)).toMatchObject({ total: 3 });
    expect((await sync({ gatewayId, leadOnly: true })).at(-1)).toMatchObject({ total: 2 });
    expect((await sync({ gatewayId, boardId, leadOnly: true })).at(-1)).toMatchObject({ total: 1 });
  });

  it('gives new tokens, writes over what agents made, begins sessions afresh and wakes, when asked to', async () => {
    const { gateway, gatewayId, all, one } = await fleet();
    const tokens = await Promise.all(all.map((agent) => workspaceToken(agent.workspacePath)));
    await writeFile(path.join(one.workspacePath, 'USER.md'), 'mine');
    const wakeUps = gateway.runs().length;
    const told = await sync({
      gatewayId,
      rotateTokens: true,
      overwrite: true,
      forceBootstrap: true,
      resetSessions: true,
    });
    expect(told.at(-1)).toMatchObject({ phase: 'SUCCEEDED', updated: 4 });
    for (const [index, agent] of all.entries()) {
      const token = await workspaceToken(agent.workspacePath);
      expect(token).not.toBe(tokens[index]);
      expect((await mc.as(token).run(Heartbeat, { input: {} })).heartbeat).toMatchObject({ id: agent.id });
    }
    expect(await readFile(path.join(one.workspacePath, 'USER.md'), 'utf8')).not.toBe('mine');
    expect(gateway.requests.filter(({ method }) => method === 'sessions.reset')).toHaveLength(4);
    expect(gateway.runs().length).toBe(wakeUps + 4);
  });

  it('is one per gateway: a second one names the first', async () => {
    const { gateway, gatewayId, one } = await fleet();
    await gateway.kill();
    const first = await start({ gatewayId });
    const { syncGatewayTemplates: second } = await mc.owner.run(SyncGatewayTemplates, { input: { gatewayId } });
    expect(second).toMatchObject({
      __typename: 'ConflictError',
      message: `The sync ${first.id} of this gateway is still running: 0 of 4 agents are done.`,
    });
    // Another gateway's is another matter.
    const other = await fleet();
    expect((await sync({ gatewayId: other.gatewayId })).at(-1)).toMatchObject({ phase: 'SUCCEEDED' });
    // One that is deleted meanwhile is not waited for; the rest goes on when the gateway is back.
    await mc.owner.run(DeleteAgent, { id: one.id });
    await gateway.start();
    const progress = mc.owner.subscribe(FollowSync, { id: first.id });
    await progress.ended;
    expect(progress.received.at(-1)?.value.templateSyncProgress).toMatchObject({
      unchanged: 3,
      skipped: 1,
      phase: 'SUCCEEDED',
    });
    await start({ gatewayId });
  });

  it('ends PARTIAL with what only a person can help, and FAILED when that is all', async () => {
    const { gateway, gatewayId, boardId, one, two } = await fleet();
    const error = { code: 'INVALID_REQUEST', message: 'unsafe workspace file "AGENTS.md"' };
    const refuse = (agentId: string) =>
      gateway.faults.add({
        kind: 'refuse',
        method: 'agents.files.get',
        when: (params) => params.agentId === agentId && params.name === 'AGENTS.md',
        times: 10,
        error,
      });
    refuse(one.openclawAgentId);
    const partial = (await sync({ gatewayId })).at(-1);
    expect(partial).toMatchObject({ phase: 'PARTIAL', unchanged: 3 });
    expect(partial?.failures).toEqual([
      { agent: { name: 'One' }, message: expect.stringContaining('unsafe workspace file') },
    ]);
    refuse(two.openclawAgentId);
    await mc.owner.run(DeleteAgent, { id: await provisionedLead(boardId) });
    const failed = (await sync({ gatewayId, boardId })).at(-1);
    expect(failed).toMatchObject({ phase: 'FAILED', total: 2, unchanged: 0 });
    expect(failed?.failures).toHaveLength(2);
  });

  it('leaves adopted agents alone', async () => {
    const { gateway, gatewayId, boardId } = await fleet();
    const { adoptAgent } = await mc.owner.run(AdoptAgent, { input: { gatewayId, boardId, openclawAgentId: 'main' } });
    if (adoptAgent.__typename !== 'Agent') expect.fail(JSON.stringify(adoptAgent));
    await provisioned(mc.owner, adoptAgent.id);
    const writes = () =>
      gateway.requests.filter(({ method, params }) => method === 'agents.files.set' && params.agentId === 'main')
        .length;
    const told = await sync({ gatewayId, overwrite: true });
    expect(told.at(-1)).toMatchObject({ total: 5, updated: 4, skipped: 1 });
    expect(writes()).toBe(0);
  });

  it('with a mistake in a template fails, says where, and the templates that work stay', async () => {
    const { gatewayId, one } = await fleet();
    const soul = path.join(templates, 'SOUL.md.liquid');
    const before = await readFile(soul, 'utf8');
    const written = await soulOf(one);
    await writeFile(soul, '{% if %}');
    const told = (await sync({ gatewayId })).at(-1);
    expect(told).toMatchObject({ phase: 'FAILED' });
    expect(told?.failures[0]?.message).toContain('SOUL.md');
    await writeFile(soul, before);
    expect((await sync({ gatewayId })).at(-1)).toMatchObject({ phase: 'SUCCEEDED', unchanged: 4 });
    expect(await soulOf(one)).toBe(written);
  });

  it('with a mistake in a template fails its own agents alone: one that is deleted leaves, a new one arrives', async () => {
    const { gateway, gatewayId, boardId, one, two } = await fleet();
    const soul = path.join(templates, 'SOUL.md.liquid');
    const before = await readFile(soul, 'utf8');
    // A run that lasts until all that follows is asked for, which so comes in one.
    gateway.faults.add({ kind: 'stall', method: 'agents.files.set' });
    await mc.owner.run(ReprovisionAgent, { input: { id: one.id, force: true } });
    const writes = gateway.requests.filter(({ method }) => method === 'agents.files.set').length;
    await eventually(
      () => gateway.requests.filter(({ method }) => method === 'agents.files.set').length,
      (count) => count > writes,
    );
    await writeFile(soul, '{% if %}');
    const { id, total } = await start({ gatewayId });
    expect(total).toBe(4);
    await mc.owner.run(DeleteAgent, { id: two.id });
    const newcomer = await addAgent(mc.owner, boardId, 'Newcomer');
    gateway.dropConnections();
    const progress = mc.owner.subscribe(FollowSync, { id });
    await progress.ended;
    await writeFile(soul, before);
    const told = progress.received.at(-1)?.value.templateSyncProgress;
    expect(told).toMatchObject({ skipped: 1, updated: 0, unchanged: 0 });
    expect(told?.failures.map(({ agent }) => agent?.name).toSorted()).toEqual(['Gateway agent', 'Lead', 'One']);
    for (const failure of told?.failures ?? []) expect(failure.message).toContain('SOUL.md');
    const { provisioning } = await provisioned(mc.owner, newcomer.id);
    expect(provisioning.lastError).toBeNull();
    await eventually(
      () => mc.owner.run(ReadAgent, { id: two.id }),
      ({ agent }) => agent === null,
    );
    expect(entriesOf(gateway)).not.toContain(two.openclawAgentId);
  });

  it('refuses a board of another gateway, and what is not there', async () => {
    const [one, two] = [await fleet(), await fleet()];
    const ask = async (input: SyncInput) => (await mc.owner.run(SyncGatewayTemplates, { input })).syncGatewayTemplates;
    expect(await ask({ gatewayId: one.gatewayId, boardId: two.boardId })).toMatchObject({
      __typename: 'ValidationError',
      fields: [{ path: 'input.boardId', message: 'must be a board of this gateway' }],
    });
    expect((await ask({ gatewayId: one.boardId })).__typename).toBe('NotFoundError');
    const { id } = await start({ gatewayId: one.gatewayId });
    const { templateSync } = await eventually(
      () => mc.owner.run(ReadSync, { id }),
      ({ templateSync }) => templateSync?.phase === 'SUCCEEDED',
    );
    expect(templateSync).toMatchObject({ total: 4, gateway: { id: one.gatewayId } });
  });
});

async function provisionedLead(boardId: string): Promise<string> {
  const lead = await mc.prisma.agent.findFirstOrThrow({ where: { boardId, kind: 'BOARD_LEAD' } });
  return lead.id;
}
