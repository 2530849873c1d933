import { type Api, made } from './api.ts';
import { CREATE_AGENT, CREATE_BOARD, CREATE_GATEWAY, CREATE_TASK } from './documents.ts';

export interface StoryOptions {
  gateway: { url: string; token: string | null; workspaceRoot: string };
  /** Of the workers, in seconds; from 30 on. */
  heartbeatSeconds: number;
}

const WORKERS = [
  {
    name: 'Ada',
    identityProfile: { role: 'Technical writer', emoji: '🦉', expertise: ['Documentation', 'Examples'] },
    task: { title: 'Describe the installation', description: 'Two commands and what they print.' },
  },
  {
    name: 'Otto',
    identityProfile: { role: 'Release engineer', emoji: '🐙', expertise: ['CI', 'Packaging'] },
    task: { title: 'Make the release notes', description: 'From the commits since the last tag.' },
  },
];

/** Adds the gateway and a board with a lead, two workers and a task for each. @returns the gateway's id */
export async function createFleet(api: Api, { gateway, heartbeatSeconds }: StoryOptions): Promise<string> {
  const { createGateway } = await api.ask(CREATE_GATEWAY, { input: { name: 'Demo gateway', ...gateway } });
  const { id: gatewayId } = made(createGateway);
  const { createBoard } = await api.ask(CREATE_BOARD, {
    input: {
      name: 'Launch',
      gatewayId,
      objective: 'Get version 1.0 out of the door.',
      lead: { name: 'Lena', identityProfile: { role: 'Team lead', emoji: '🧭' } },
    },
  });
  const { id: boardId } = made(createBoard);
  for (const { name, identityProfile, task } of WORKERS) {
    const heartbeat = { intervalSeconds: heartbeatSeconds };
    const { createAgent } = await api.ask(CREATE_AGENT, { input: { name, boardId, identityProfile, heartbeat } });
    const { id: assigneeId } = made(createAgent);
    const { createTask } = await api.ask(CREATE_TASK, { input: { boardId, assigneeId, ...task } });
    made(createTask);
  }
  return gatewayId;
}
