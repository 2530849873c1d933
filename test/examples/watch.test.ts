import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphql } from '../../src/generated/client/index.ts';
import { CuttingProxy } from '../faults/cutting-proxy.ts';
import { UNREACHABLE } from '../support/callers.ts';
import type { Client } from '../support/client.ts';
import { Heartbeat } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { freePort } from '../support/free-port.ts';
import { ADMIN_TOKEN } from '../support/mission-control.ts';
import { preparedFolder, type ServerProcess, startProcess } from '../support/server-process.ts';

const MAIN = fileURLToPath(new URL('../../examples/watch/main.ts', import.meta.url));

const BoardLog = graphql(`
  query WatchedLog($boardId: ID!) {
    board(id: $boardId) { agents { nodes { events(first: 100) { nodes { cursor type } } } } }
  }
`);

/** The command, with what it prints. */
class Watcher {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown[]>;

  constructor(...flags: string[]) {
    this.#child = spawn(process.execPath, [MAIN, ...flags], {
      env: { PATH: process.env.PATH, MISSION_CONTROL_TOKEN: ADMIN_TOKEN },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.#exited = once(this.#child, 'close');
  }

  /** Resolves when it has printed all of these. */
  async prints(...texts: string[]): Promise<void> {
    await eventually(
      () => ({ stdout: this.stdout, stderr: this.stderr }),
      ({ stdout, stderr }) => texts.every((text) => (stdout + stderr).includes(text)),
      30_000,
    );
  }

  /** Of the changes that it has told, in its order. */
  get cursors(): string[] {
    return this.stdout.split('\n').flatMap((line) => /^([0-9a-z]{13}) {2}\d\d:/.exec(line)?.[1] ?? []);
  }

  /** ctrl-C. @returns its exit code */
  async stop(): Promise<unknown> {
    this.#child.kill('SIGINT');
    return (await this.#exited)[0];
  }

  /** @returns its exit code, when it ends by itself */
  async ended(): Promise<unknown> {
    return (await this.#exited)[0];
  }
}

describe('examples/watch', () => {
  let folder: string;
  let port: number;
  let server: ServerProcess;
  let owner: Client;
  let network: CuttingProxy;
  let boardId: string;
  const watchers: Watcher[] = [];

  const start = async () => {
    ({ server, owner } = await startProcess(folder, { PORT: String(port) }));
  };
  const watch = (...flags: string[]) => {
    const watcher = new Watcher('--url', `http://127.0.0.1:${network.port}/graphql`, ...flags);
    watchers.push(watcher);
    return watcher;
  };
  const beat = (id: string, status: 'ACTIVE' | 'IDLE') => owner.run(Heartbeat, { input: { id, status } });

  beforeAll(async () => {
    folder = await preparedFolder();
    port = await freePort();
    network = await CuttingProxy.create(port);
    await start();
    boardId = (await addBoard(owner, (await addGateway(owner, UNREACHABLE)).id)).id;
  });
  afterAll(async () => {
    for (const watcher of watchers) await watcher.stop();
    await server?.stop();
    await network?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('tells every change once, also when the connection is cut and the server is killed, and when it is run again', {
    timeout: 90_000,
  }, async () => {
    const { id } = await addAgent(owner, boardId, 'Wanda');
    const watcher = watch('--board', boardId);
    await watcher.prints('Connected.', 'Wanda is PROVISIONING, UNKNOWN');
    const [begin = ''] = watcher.stdout.split(' ');
    await beat(id, 'ACTIVE');
    await watcher.prints('Wanda  STATUS_CHANGED  PROVISIONING → ACTIVE', 'Wanda  LIVENESS_CHANGED  ONLINE');

    network.cut();
    await addAgent(owner, boardId, 'Otto');
    await watcher.prints('The connection broke.', 'Otto  CREATED');

    await server.kill();
    await start();
    await beat(id, 'IDLE');
    await addAgent(owner, boardId, 'Nora');
    await watcher.prints('ACTIVE → IDLE', 'Nora  CREATED');
    expect(await watcher.stop()).toBe(0);
    expect(watcher.stderr).toContain(`Go on from here with --after ${watcher.cursors.at(-1)}`);

    await beat(id, 'ACTIVE');
    const next = watch('--board', boardId, '--after', watcher.cursors.at(-1) ?? '');
    await next.prints('IDLE → ACTIVE');
    const told = [...watcher.cursors, ...next.cursors];
    const logged = await cursorsOf(boardId);
    const last = told.at(-1) ?? '';
    expect(told).toEqual(logged.filter((cursor) => cursor > begin && cursor <= last));
  });

  it('says what is wrong with its flags and with its token, and ends', async () => {
    const without = watch('--bord', 'x');
    expect(await without.ended()).toBe(2);
    expect(without.stderr).toContain("Unknown option '--bord'");
    const wrong = watch('--after', 'yesterday');
    expect(await wrong.ended()).toBe(1);
    expect(wrong.stderr).toContain('after is not a cursor of this API.');
  });

  async function cursorsOf(id: string): Promise<string[]> {
    const { board } = await owner.run(BoardLog, { boardId: id });
    return (board?.agents.nodes ?? []).flatMap(({ events }) => events.nodes.map(({ cursor }) => cursor)).sort();
  }
});
