import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { pruneEvents } from '../../src/events/retention.ts';
import { graphql } from '../../src/generated/client/gql.ts';
import { joined } from '../api/live.ts';
import { UNREACHABLE } from '../support/callers.ts';
import { AgentEvents, Heartbeat, ReadAgentLog } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { preparedFolder, startProcess } from '../support/server-process.ts';

const WhereItStandsNow = graphql(`query WhereItStandsNow { agents(first: 1) { eventCursor } }`);

const DAY_MS = 24 * 60 * 60_000;

describe('pruneEvents', () => {
  const INSTANT = new Date('2026-06-01T00:00:00.000Z');
  let mc: MissionControl;
  let organizationId: string;
  beforeAll(async () => {
    mc = await startMissionControl();
    organizationId = (await mc.prisma.organization.findFirstOrThrow()).id;
  });
  afterAll(() => mc.stop());

  /** As many events, the last at `until` and each a second before the next. @returns whose they are */
  async function log(count: number, until: Date): Promise<string> {
    const agentId = randomUUID();
    await mc.prisma.$executeRaw`
      INSERT INTO "AgentEvent" ("organizationId", "agentId", "gatewayId", type, at, status, liveness)
      SELECT ${organizationId}::uuid, ${agentId}::uuid, ${agentId}::uuid, 'UPDATED',
             ${until}::timestamptz - make_interval(secs => ${count}::int - n), 'READY', 'ONLINE'
      FROM generate_series(1, ${count}::int) AS n ORDER BY n`;
    return agentId;
  }
  const countOf = (agentId: string) => mc.prisma.agentEvent.count({ where: { agentId } });

  it('removes what is older than the instant and nothing else, batch by batch', async () => {
    const old = await log(12_000, new Date(+INSTANT - 1));
    // The first of these is older by a second, the second one is of the instant itself.
    const around = await log(3, new Date(+INSTANT + 1_000));
    const young = await log(10, new Date(+INSTANT + 3_600_000));

    let batches = 0;
    const removed = await pruneEvents(mc, INSTANT, () => ++batches > 1);
    expect(removed).toBe(5_000);
    expect(await countOf(old)).toBe(7_000);
    // The oldest went first.
    const { at } = await mc.prisma.agentEvent.findFirstOrThrow({ where: { agentId: old }, orderBy: { seq: 'asc' } });
    expect(at).toEqual(new Date(+INSTANT - 1 - 6_999_000));

    expect(await pruneEvents(mc, INSTANT)).toBe(7_001);
    expect(await Promise.all([old, around, young].map(countOf))).toEqual([0, 2, 10]);
    expect(await pruneEvents(mc, INSTANT)).toBe(0);
    expect(await Promise.all([around, young].map(countOf))).toEqual([2, 10]);
  });

  it.each([
    ['while somebody follows', true],
    ['while nobody follows', false],
  ])(
    'leaves a log that can be followed from where it stands, also when nothing is left of it: %s',
    async (title, isFollowed) => {
      const quiet = await startMissionControl();
      const { id: gatewayId } = await addGateway(quiet.owner, UNREACHABLE);
      const { id } = await addAgent(quiet.owner, (await addBoard(quiet.owner, gatewayId)).id, title);
      const wallboard = isFollowed ? quiet.owner.subscribe(AgentEvents) : null;
      if (wallboard) await joined(quiet.owner, wallboard, id);
      // That the gateway is away is told in its own time, so that something may come after all was removed.
      const { agents } = await eventually(
        async () => {
          await pruneEvents(quiet, new Date(Date.now() + DAY_MS));
          const read = await quiet.owner.run(WhereItStandsNow);
          return { ...read, left: await quiet.prisma.agentEvent.count() };
        },
        ({ left }) => left === 0,
      );
      const live = quiet.owner.subscribe(AgentEvents, { after: agents.eventCursor, filter: { agentId: id } });
      await live.connected;
      const { heartbeat } = await quiet.owner.run(Heartbeat, { input: { id, status: 'IDLE' } });
      expect(heartbeat.__typename).toBe('Agent');
      await Promise.race([
        live.first(({ agentEvents }) => agentEvents.type === 'HEARTBEAT'),
        live.ended.then(() => expect.fail('The subscription is over.')),
      ]);
      await live.stop();
      await wallboard?.stop();
      await quiet.stop();
    },
  );

  it('removes syncs that ended before it, and none that goes on or ended later', async () => {
    const { id: gatewayId } = await addGateway(mc.owner, UNREACHABLE);
    const sync = (finishedAt: Date | null) =>
      mc.prisma.templateSync.create({
        data: { organizationId, gatewayId, finishedAt, phase: finishedAt === null ? 'RUNNING' : 'SUCCEEDED' },
      });
    const [before, at, running] = await Promise.all([sync(new Date(+INSTANT - 1)), sync(INSTANT), sync(null)]);
    await pruneEvents(mc, INSTANT);
    const left = await mc.prisma.templateSync.findMany({ select: { id: true } });
    expect(left.map(({ id }) => id).sort()).toEqual([at.id, running.id].sort());
    expect(left.map(({ id }) => id)).not.toContain(before.id);
  });
});

describe.skipIf(inject('postgres') !== null)('a server', () => {
  it('removes at its start what is older than EVENT_RETENTION_DAYS', { timeout: 60_000 }, async () => {
    const folder = await preparedFolder();
    const first = await startProcess(folder);
    const { mainAgent } = await addGateway(first.owner, UNREACHABLE);
    const id = mainAgent?.id ?? '';
    const logOf = async ({ owner }: typeof first) =>
      (await owner.run(ReadAgentLog, { id })).agent?.events.nodes.map(({ type }) => type) ?? [];
    await eventually(
      () => logOf(first),
      (types) => types.includes('PROVISIONING'),
    );
    await first.server.stop();

    const database = await PGlite.create(path.join(folder, 'pglite'));
    const daysAgo = (days: number) => new Date(Date.now() - days * DAY_MS);
    await database.query(`UPDATE "AgentEvent" SET at = $1 WHERE type <> 'CREATED'`, [daysAgo(2.9)]);
    await database.query(`UPDATE "AgentEvent" SET at = $1 WHERE type = 'CREATED'`, [daysAgo(3.1)]);
    await database.close();

    const second = await startProcess(folder, { EVENT_RETENTION_DAYS: '3', LOG_LEVEL: 'info' });
    await eventually(
      () => logOf(second),
      (types) => !types.includes('CREATED'),
    );
    expect(await logOf(second)).toContain('PROVISIONING');
    expect(second.server.stdout).toContain('"events":1,"days":3');
    await second.server.stop();
    await rm(folder, { recursive: true, force: true });
  });
});
