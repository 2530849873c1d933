import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from './api.ts';
import {
  type AgentView,
  CREATE_AGENT,
  DELETE_AGENT,
  HEARTBEAT,
  type Outcome,
  PAUSE_AGENT,
  REPROVISION_AGENT,
  RESUME_AGENT,
  SYNC_TEMPLATES,
  UPDATE_AGENT,
} from './documents.ts';
import { type FleetModel, modelOf } from './fleet-model.ts';
import type { Lane, Operation, PlannedOperation } from './operations.ts';
import { withWorkspaceToken } from './workspace-tokens.ts';

/** Does the operations of a lane, each when it is time and the one before has been answered. */
export async function performLane(api: Api, model: FleetModel, lane: Lane, startedAt: number): Promise<void> {
  for (const planned of lane) {
    await sleep(Math.max(0, startedAt + planned.atMs - performance.now()));
    await perform(api, model, planned);
  }
}

/** Asks for an operation until it is answered, and notes in the model what was answered. */
async function perform(api: Api, model: FleetModel, { operation, server }: PlannedOperation): Promise<void> {
  if (operation.kind === 'heartbeat') return reportIn(api, model, operation, server);
  const { query, variables } = requestFor(operation);
  const { data, lost } = await api.insist<{ outcome: Outcome }>(query, variables, { first: server });
  note(model, operation, data.outcome, lost > 0);
}

function requestFor(operation: Exclude<Operation, { kind: 'heartbeat' }>): { query: string; variables: object } {
  switch (operation.kind) {
    case 'create': {
      const { kind: _, intervalSeconds, ...agent } = operation;
      return { query: CREATE_AGENT, variables: { input: { ...agent, heartbeat: { intervalSeconds } } } };
    }
    case 'update': {
      const { kind: _, intervalSeconds, ...changes } = operation;
      const heartbeat = intervalSeconds !== undefined && { heartbeat: { intervalSeconds } };
      return { query: UPDATE_AGENT, variables: { input: { ...changes, ...heartbeat } } };
    }
    case 'rotate':
      return { query: REPROVISION_AGENT, variables: { input: { id: operation.id, rotateToken: true } } };
    case 'sync': {
      const { gatewayId, rotateTokens } = operation;
      return { query: SYNC_TEMPLATES, variables: { input: { gatewayId, rotateTokens } } };
    }
    case 'pause':
      return { query: PAUSE_AGENT, variables: { id: operation.id } };
    case 'resume':
      return { query: RESUME_AGENT, variables: { id: operation.id } };
    case 'delete':
      return { query: DELETE_AGENT, variables: { id: operation.id } };
  }
}

/** @param repeated whether it was asked for before, without an answer */
function note(model: FleetModel, operation: Operation, outcome: Outcome, repeated: boolean): void {
  switch (operation.kind) {
    case 'sync':
      // Another sync of this gateway is under way.
      if (outcome.__typename === 'ConflictError') return;
      expectOutcome(operation, outcome, 'TemplateSync');
      model.syncs.add(outcome.id ?? '');
      return;
    case 'delete':
      // The lost answer was of the delete that removed it.
      if (!(repeated && outcome.__typename === 'NotFoundError')) expectOutcome(operation, outcome, 'Agent');
      model.remove(operation.id);
      return;
    case 'create':
      expectOutcome(operation, outcome, 'Agent');
      model.add(modelOf(outcome as AgentView));
      return;
    case 'update': {
      expectOutcome(operation, outcome, 'Agent');
      const { kind: _, id, ...change } = operation;
      model.change(id, change);
      return;
    }
    case 'pause':
    case 'resume':
      expectOutcome(operation, outcome, 'Agent');
      model.change(operation.id, { paused: operation.kind === 'pause' });
      return;
    default:
      expectOutcome(operation, outcome, 'Agent');
  }
}

function expectOutcome(operation: Operation, outcome: Outcome, expected: string): void {
  if (outcome.__typename === expected) return;
  throw new Error(`${JSON.stringify(operation)} was answered with ${JSON.stringify(outcome)}`);
}

/** Reports in with the token that the agent's workspace holds. It must work, or have been replaced a moment ago. */
async function reportIn(
  api: Api,
  model: FleetModel,
  operation: Operation & { kind: 'heartbeat' },
  first: number,
): Promise<void> {
  const { id, status } = operation;
  const agent = model.agents.get(id);
  if (!agent) throw new Error(`there is no agent ${id}`);
  const input = { input: { status } };
  const report = (token: string) => api.insist<{ outcome: Outcome }>(HEARTBEAT, input, { first, token });
  const answer = await withWorkspaceToken(agent.workspacePath, report);
  if (answer === null) return;
  const { outcome } = answer.data;
  if (agent.paused && outcome.__typename === 'ConflictError') return;
  expectOutcome(operation, outcome, 'Agent');
  if (outcome.lastHeartbeatAt) model.heartbeats.set(id, outcome.lastHeartbeatAt);
}
