import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { Client, type Subscription } from '../support/client.ts';
import { Heartbeat, ReadAgent } from '../support/documents.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { randomFrom } from '../support/random.ts';
import { preparedFolder, type ServerProcess, startProcess } from '../support/server-process.ts';
import { entriesOf, workspaceToken } from '../support/workspace.ts';

const FollowLog = graphql(`
  subscription FollowLog($after: String, $since: DateTime) {
    agentEvents(
      after: $after
      since: $since
      filter: { types: [CREATED, UPDATED, STATUS_CHANGED, LIVENESS_CHANGED, PROVISIONING, DELETED] }
    ) { cursor agentId type }
  }
`);

const ReadLog = graphql(`
  query ReadLog($id: ID!, $after: String) {
    agent(id: $id) {
      events(first: 100, after: $after) { nodes { cursor type } pageInfo { hasNextPage endCursor } }
    }
  }
`);

/** More rounds by hand: KILL_ROUNDS=50. With SEED, the same moments again. */
const ROUNDS = Number(process.env.KILL_ROUNDS ?? 3);
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));

describe('a server that is killed (-9)', () => {
  let gateway: Simulator;
  let folder: string;
  let server: ServerProcess;
  let owner: Client;
  let url: string;
  const random = randomFrom(SEED);

  async function start(): Promise<void> {
    ({ server, owner, url } = await startProcess(folder, url ? { PORT: new URL(url).port } : {}));
  }

  beforeAll(async () => {
    gateway = await startSimulator({ delays: { request: 3, applyConfig: 60 } });
    folder = await preparedFolder();
    await start();
  });
  afterAll(async () => {
    await server.stop();
    await gateway.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it(`finishes what was under way, makes nothing twice and loses no event (SEED=${SEED})`, {
    timeout: 60_000 + ROUNDS * 30_000,
  }, async () => {
    const { id, mainAgent } = await addGateway(owner, gateway);
    const board = await addBoard(owner, id, { name: 'Killed', maxAgents: 1_000 });
    const agents = [mainAgent?.id ?? ''];
    const followed: { cursor: string; agentId: string; type: string }[] = [];
    const resumedAfterMs: number[] = [];

    for (let round = 1; round <= ROUNDS; round++) {
      const live = follow(followed.at(-1)?.cursor);
      await live.connected;
      const created = [];
      for (let count = 0; count < 3; count++) created.push(await addAgent(owner, board.id, `Round ${round}.${count}`));
      agents.push(...created.map((agent) => agent.id));
      await new Promise((resolve) => setTimeout(resolve, random() * 700));
      await server.kill();
      await live.ended.catch(() => undefined);
      followed.push(...live.received.map(({ value }) => value.agentEvents));
      await start();
      const started = performance.now();
      for (const { workspacePath } of created) await acceptsTokenOf(workspacePath);
      for (const agent of created) await provisioned(owner, agent.id, 20_000);
      resumedAfterMs.push(performance.now() - started);
      for (const { workspacePath } of created) expect(await acceptsTokenOf(workspacePath)).toBe(true);
    }
    // What a killed process was at is taken up by the next one.
    expect(Math.max(...resumedAfterMs), `each round: ${resumedAfterMs.map(Math.round)}`).toBeLessThan(15_000);

    const fleet = await Promise.all(agents.map(async (agentId) => (await owner.run(ReadAgent, { id: agentId })).agent));
    expect(entriesOf(gateway).sort()).toEqual(fleet.map((agent) => agent?.openclawAgentId ?? '').sort());
    for (const agent of fleet) {
      const runs = gateway.runs().filter((run) => run.agentId === agent?.openclawAgentId);
      expect(runs.filter((run) => run.kind === 'chat')).toHaveLength(1);
    }

    // Every event came once and in order to the one who resumed after the last cursor, and the log has no other.
    const logged = (await Promise.all(agents.map(logOf))).flat().sort();
    const live = follow(followed.at(-1)?.cursor);
    if (followed.at(-1)?.cursor !== logged.at(-1))
      await live.first(({ agentEvents: { cursor } }) => cursor === logged.at(-1));
    followed.push(...live.received.map(({ value }) => value.agentEvents));
    await live.stop();
    expect(followed.map((event) => event.cursor)).toEqual(logged);
    expect(new Set(logged).size).toBe(logged.length);
  });

  it('has every heartbeat that it answered', { timeout: 90_000 }, async () => {
    const { agents } = await owner.run(ReadAll);
    const ids = agents.nodes.slice(0, 8).map((agent) => agent.id);
    for (let round = 0; round < Math.ceil(ROUNDS / 3); round++) {
      const answered = new Map<string, string>();
      let killed = false;
      const reporters = ids.map(async (id) => {
        for (let beat = 0; !killed; beat++) {
          const status = beat % 2 === 0 ? 'ACTIVE' : 'IDLE';
          try {
            const { heartbeat } = await owner.run(Heartbeat, { input: { id, status } });
            if (heartbeat.__typename === 'Agent' && heartbeat.lastHeartbeatAt)
              answered.set(id, heartbeat.lastHeartbeatAt);
          } catch {
            return;
          }
        }
      });
      while (answered.size < ids.length) await new Promise((resolve) => setTimeout(resolve, 5));
      await new Promise((resolve) => setTimeout(resolve, random() * 300));
      await server.kill();
      killed = true;
      await Promise.all(reporters);
      await start();
      for (const id of ids) {
        const { agent } = await owner.run(ReadAgent, { id });
        expect(Date.parse(agent?.lastHeartbeatAt ?? '')).toBeGreaterThanOrEqual(Date.parse(answered.get(id) ?? ''));
      }
    }
  });

  function follow(
    after: string | undefined,
  ): Subscription<{ agentEvents: { cursor: string; agentId: string; type: string } }> {
    return owner.subscribe(FollowLog, after === undefined ? { since: new Date(0).toISOString() } : { after });
  }

  async function logOf(id: string): Promise<string[]> {
    const cursors: string[] = [];
    for (let after: string | null = null; ; ) {
      const { agent }: Awaited<ReturnType<typeof readLog>> = await readLog(id, after);
      const kept = agent?.events.nodes.filter((event) => event.type !== 'HEARTBEAT') ?? [];
      cursors.push(...kept.map((event) => event.cursor));
      if (!agent?.events.pageInfo.hasNextPage) return cursors;
      after = agent.events.pageInfo.endCursor ?? null;
    }
  }
  const readLog = (id: string, after: string | null) => owner.run(ReadLog, { id, after });

  /** Whether the workspace has a token. One that it has must work, or have been replaced just now. */
  async function acceptsTokenOf(workspacePath: string): Promise<boolean> {
    for (let token = await workspaceToken(workspacePath); token !== null; ) {
      // Asks for nothing that changes anything.
      const { status } = await new Client(url, token).ask(WhoAmI);
      if (status === 200) return true;
      const now = await workspaceToken(workspacePath);
      if (now === token) expect.fail(`The token in ${workspacePath} is refused.`);
      token = now;
    }
    return false;
  }
});

const WhoAmI = graphql(`
  query WhoAmIAfterKill { viewer { __typename } }
`);

const ReadAll = graphql(`
  query ReadAllAfterKill { agents(first: 100) { nodes { id } } }
`);
