import { readFile } from 'node:fs/promises';
import type { SqlDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, it, vi } from 'vitest';
import { Authenticator, type SignedIn } from '../../src/access/authenticate.ts';
import { LiveCredentials } from '../../src/access/live-credentials.ts';
import { TokenUses } from '../../src/access/token-uses.ts';
import { hashToken } from '../../src/access/tokens.ts';
import { type Database, type Db, openDatabase } from '../../src/db/database.ts';
import { createLog } from '../../src/log.ts';

const LOOK_MS = 1_000;

let database: Database;
let db: Db;
/** Statements of the database, which refuses them while it is away. */
let asked = 0;
let isAway = false;
beforeAll(async () => {
  const snapshot = new Blob([new Uint8Array(await readFile(inject('snapshot')))]);
  database = await openDatabase({ databaseUrl: null, dataDir: '', snapshot, watch: countStatements });
  db = database.prisma;
});
afterAll(() => database.close());

function countStatements(factory: SqlDriverAdapterFactory): SqlDriverAdapterFactory {
  const { provider, adapterName } = factory;
  return {
    provider,
    adapterName,
    async connect() {
      const adapter = await factory.connect();
      const { queryRaw, executeRaw } = adapter;
      const count = () => {
        asked++;
        if (isAway) throw new Error('The database is away.');
      };
      adapter.queryRaw = async (query) => {
        count();
        return queryRaw.call(adapter, query);
      };
      adapter.executeRaw = async (query) => {
        count();
        return executeRaw.call(adapter, query);
      };
      return adapter;
    },
  };
}

let live: LiveCredentials;
let uses: TokenUses;
let authenticator: Authenticator;
let warnings: number;
let tokens = 0;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const log = createLog('silent');
  warnings = 0;
  log.warn = () => {
    warnings++;
  };
  uses = new TokenUses(db, log);
  authenticator = new Authenticator(database, null, uses);
  live = new LiveCredentials(authenticator, log);
  live.start();
});
afterEach(async () => {
  isAway = false;
  await live.stop();
  await uses.stop();
  vi.useRealTimers();
});

async function signIn(): Promise<{ signedIn: SignedIn; id: string }> {
  const token = `test-token-${++tokens}`;
  const { id } = await db.apiToken.create({
    data: {
      name: 'Test',
      role: 'VIEWER',
      prefix: 'test',
      tokenHash: hashToken(token),
      // Used just now: nothing is to be written.
      lastUsedAt: new Date(),
      organization: { create: { name: 'Test' } },
    },
  });
  const signedIn = await authenticator.signIn(token);
  return signedIn ? { signedIn, id } : expect.fail();
}

it('nothing is asked while nobody is connected, and one thing for all who are', async () => {
  asked = 0;
  vi.advanceTimersByTime(5 * LOOK_MS);
  expect(asked).toBe(0);

  const followed = [await signIn(), await signIn(), await signIn()];
  const unfollow = followed.map(({ signedIn }) => live.follow(signedIn, () => expect.fail('It is good.')));
  asked = 0;
  vi.advanceTimersByTime(LOOK_MS);
  await vi.waitFor(() => expect(asked).toBe(1));
  expect(live.size).toBe(3);
  for (const end of unfollow) end();
  expect(live.size).toBe(0);
  asked = 0;
  vi.advanceTimersByTime(5 * LOOK_MS);
  expect(asked).toBe(0);
});

it('an end is told once, to the one whose credential is gone', async () => {
  const [one, other] = [await signIn(), await signIn()];
  const told: string[] = [];
  live.follow(one.signedIn, (why) => told.push(`one: ${why}`));
  live.follow(other.signedIn, (why) => told.push(`other: ${why}`));
  await db.apiToken.delete({ where: { id: one.id } });
  for (let look = 0; look < 2; look++) {
    vi.advanceTimersByTime(LOOK_MS);
    await vi.waitFor(() => expect(told).toEqual(['one: Token revoked']));
  }
  expect(await live.endOf(one.signedIn)).toBe('Token revoked');
  expect(await live.endOf(other.signedIn)).toBeNull();
});

it('a database that is away ends nobody, and is asked again', async () => {
  const { signedIn, id } = await signIn();
  const told: string[] = [];
  live.follow(signedIn, (why) => told.push(why));
  await db.apiToken.delete({ where: { id } });
  isAway = true;
  vi.advanceTimersByTime(LOOK_MS);
  await vi.waitFor(() => expect(warnings).toBe(1));
  expect(told).toEqual([]);
  isAway = false;
  await vi.waitFor(() => {
    vi.advanceTimersByTime(LOOK_MS);
    expect(told).toEqual(['Token revoked']);
  });
});

it('a use that cannot be written is told in the log, and written at the next use', async () => {
  const { id } = await signIn();
  await db.apiToken.update({ where: { id }, data: { lastUsedAt: null } });
  const lastUsedAt = async () => (await database.prisma.apiToken.findUniqueOrThrow({ where: { id } })).lastUsedAt;
  isAway = true;
  uses.note(id, null);
  await vi.waitFor(() => expect(warnings).toBe(1));
  isAway = false;
  expect(await lastUsedAt()).toBeNull();
  uses.note(id, null);
  await vi.waitFor(async () => expect(await lastUsedAt()).not.toBeNull());
});
