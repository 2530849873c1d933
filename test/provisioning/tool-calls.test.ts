import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type CurlBlock, curlBlocks, fillIn, shellJson } from '../support/curl-blocks.ts';
import { CreateTask } from '../support/documents.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';

const run = promisify(execFile);

/** What stands in each agent's workspace is run, as it stands there, with the real curl against the real server. */
describe('the calls in TOOLS.md', () => {
  let gateway: Simulator;
  let mc: MissionControl;
  const calls = new Map<string, CurlBlock[]>();
  const ids = { lead: '', worker: '', other: '', main: '', task: '' };

  beforeAll(async () => {
    gateway = await startSimulator();
    mc = await startMissionControl();
    const { id: gatewayId, mainAgent } = await addGateway(mc.owner, gateway);
    const board = await addBoard(mc.owner, gatewayId, { lead: 'Lena' });
    ids.main = mainAgent?.id ?? '';
    ids.lead = board.lead?.id ?? '';
    ids.worker = (await addAgent(mc.owner, board.id, 'Wanda')).id;
    ids.other = (await addAgent(mc.owner, board.id, 'Otto')).id;
    const { createTask } = await mc.owner.run(CreateTask, {
      input: { boardId: board.id, title: 'Write it down', assigneeId: ids.worker },
    });
    if (createTask.__typename === 'Task') ids.task = createTask.id;
    for (const name of ['lead', 'worker', 'other', 'main'] as const) {
      const { workspacePath } = await provisioned(mc.owner, ids[name]);
      calls.set(name, curlBlocks(await readFile(path.join(workspacePath, 'AGENTS.md'), 'utf8')));
    }
  });
  afterAll(async () => {
    await mc.stop();
    await gateway.stop();
  });

  /** Runs a call of an agent with these values filled in, and answers with what curl printed, as an object. */
  async function call(
    who: string,
    title: string,
    values: Record<string, string> = {},
  ): Promise<Record<string, unknown>> {
    const block = calls.get(who)?.find((candidate) => candidate.title === title);
    if (!block)
      throw new Error(
        `${who} has no call "${title}", but: ${calls
          .get(who)
          ?.map((one) => one.title)
          .join(', ')}`,
      );
    const { stdout } = await run('sh', ['-eu', '-c', fillIn(block.script, values)]);
    const { data, errors } = JSON.parse(stdout) as { data: Record<string, unknown>; errors?: unknown };
    expect(errors).toBeUndefined();
    return data;
  }

  const done = new Set<string>();
  const cases: [who: string, title: string, values: () => Record<string, string>, expected: object][] = [
    ['worker', 'Report in', () => ({}), { heartbeat: { __typename: 'Agent', status: 'IDLE' } }],
    [
      'worker',
      'Report in while you work on a task',
      () => ({ TASK_ID: ids.task }),
      { heartbeat: { status: 'ACTIVE', currentTask: { title: 'Write it down' } } },
    ],
    [
      'worker',
      'Read your tasks',
      () => ({}),
      { viewer: { agent: { board: { tasks: { nodes: [{ title: 'Write it down' }] } } } } },
    ],
    [
      'worker',
      'Read a task',
      () => ({ TASK_ID: ids.task }),
      { task: { status: 'INBOX', assignee: { name: 'Wanda' } } },
    ],
    [
      'worker',
      'Take a task',
      () => ({ TASK_ID: ids.task }),
      { updateTask: { __typename: 'Task', status: 'IN_PROGRESS' } },
    ],
    [
      'worker',
      'Write down what came of a task',
      () => ({ TASK_ID: ids.task, DESCRIPTION: shellJson('It’s "done"\nSee $HOME & `x`') }),
      { updateTask: { __typename: 'Task' } },
    ],
    ['worker', 'Finish a task', () => ({ TASK_ID: ids.task }), { updateTask: { status: 'DONE' } }],
    ['lead', 'Report in', () => ({}), { heartbeat: { __typename: 'Agent' } }],
    ['lead', 'Report in while you work on a task', () => ({ TASK_ID: ids.task }), { heartbeat: { status: 'ACTIVE' } }],
    ['lead', 'Read your tasks', () => ({}), { viewer: { agent: { board: { tasks: { nodes: [] } } } } }],
    ['lead', 'Read a task', () => ({ TASK_ID: ids.task }), { task: { status: 'DONE' } }],
    ['lead', 'Take a task', () => ({ TASK_ID: ids.task }), { updateTask: { status: 'IN_PROGRESS' } }],
    ['lead', 'Write down what came of a task', () => ({ TASK_ID: ids.task }), { updateTask: { __typename: 'Task' } }],
    ['lead', 'Finish a task', () => ({ TASK_ID: ids.task, STATUS: 'REVIEW' }), { updateTask: { status: 'REVIEW' } }],
    ['lead', 'Read your board', () => ({}), { board: { name: 'Launch' } }],
    [
      'lead',
      "List your board's agents",
      () => ({}),
      { board: { agents: { nodes: [{ name: 'Lena' }, { name: 'Wanda' }, { name: 'Otto' }] } } },
    ],
    ['lead', "Read your board's tasks", () => ({}), { board: { tasks: { nodes: [{ title: 'Write it down' }] } } }],
    [
      'lead',
      'Create a worker',
      () => ({ NAME: shellJson('Nora') }),
      { createAgent: { __typename: 'Agent', name: 'Nora', status: 'PROVISIONING' } },
    ],
    [
      'lead',
      'Create a task',
      () => ({ WORKER: shellJson(ids.other) }),
      { createTask: { __typename: 'Task', assignee: { name: 'Otto' } } },
    ],
    [
      'lead',
      'Assign a task',
      () => ({ TASK_ID: ids.task, WORKER_ID: ids.other }),
      { updateTask: { assignee: { name: 'Otto' } } },
    ],
    [
      'lead',
      'Message a worker',
      () => ({ WORKER_ID: ids.worker }),
      { sendAgentMessage: { __typename: 'Agent', name: 'Wanda' } },
    ],
    ['lead', 'Wake a worker', () => ({ WORKER_ID: ids.worker }), { wakeAgent: { __typename: 'Agent', name: 'Wanda' } }],
    ['main', 'Report in', () => ({}), { heartbeat: { __typename: 'Agent' } }],
    [
      'main',
      "List your gateway's agents",
      () => ({ KIND: '\'["BOARD_LEAD"]\'' }),
      { viewer: { agent: { gateway: { name: 'Home', agents: { nodes: [{ name: 'Lena' }] } } } } },
    ],
    [
      'main',
      'Message a lead',
      () => ({ LEAD_ID: ids.lead }),
      { sendAgentMessage: { __typename: 'Agent', name: 'Lena' } },
    ],
  ];

  it.each(cases)('%s: %s', async (who, title, values, expected) => {
    done.add(`${who}: ${title}`);
    expect(await call(who, title, values())).toMatchObject(expected);
  });

  it('were all run', () => {
    const there = [...calls]
      .filter(([who]) => who !== 'other')
      .flatMap(([who, blocks]) => blocks.map((block) => `${who}: ${block.title}`));
    expect([...done].sort()).toEqual(there.sort());
  });
});
