import { z } from 'zod';
import type { Viewer } from '../access/viewer.ts';
import type { Prisma } from '../db/database.ts';
import type { Agent, AgentRequest } from '../generated/prisma/client.ts';
import { storedProfileOf } from '../provisioning/profile.ts';
import { heartbeatInput, identityProfileInput, mergedProfile, templateInput } from './agent-settings.ts';
import { checkTemplates, findAgent, nameHolder } from './agents.ts';
import { type AgentChange, changeAgent } from './change-agent.ts';
import { ConflictError, ValidationError } from './errors.ts';
import { authorize, type Fleet } from './fleet.ts';
import { isSame, isUniqueViolation } from './once.ts';
import { name, parseInput } from './validation.ts';

const updateAgentInput = z.object({
  id: z.string(),
  name: name.nullish(),
  identityProfile: identityProfileInput.nullish(),
  identityTemplate: templateInput,
  soulTemplate: templateInput,
  heartbeat: heartbeatInput.nullish(),
  force: z.boolean().nullish(),
});

/**
 * Changes what is given of an agent; the rest stays. Of the identity profile, too, only the fields that are given change,
 * and null clears one; a template that is null gives way to the built-in one. Changing nothing does nothing, but force
 * has every document written again.
 * @throws ForbiddenError, ValidationError, NotFoundError, ConflictError (the name is taken, or it is being deleted)
 */
export async function updateAgent(fleet: Fleet, viewer: Viewer, given: unknown): Promise<Agent> {
  const { id, force, ...input } = parseInput(updateAgentInput, given);
  const agent = await findAgent(fleet, viewer, id);
  authorize(viewer, 'updateAgent', { agent });
  const profile = mergedProfile(storedProfileOf(agent.identityProfile), input.identityProfile ?? {});
  checkTemplates(fleet, templatesAfter(agent, input), profile);
  try {
    return await changeAgent(fleet, viewer, agent.id, (now) => updateOf(now, input, force ?? false));
  } catch (error) {
    if (!isUniqueViolation(error) || agent.boardId === null || !input.name) throw error;
    const holder = await nameHolder(fleet.database.prisma, agent.boardId, input.name);
    throw new ConflictError(`The agent ${holder?.id} of this board is already named "${holder?.name}".`);
  }
}

/** Those that are given; with another profile also those that the agent has, for they may use a field that is to go. */
function templatesAfter(agent: Agent, input: Updates) {
  if (!input.identityProfile) return input;
  const { identityTemplate = agent.identityTemplate, soulTemplate = agent.soulTemplate } = input;
  return { identityTemplate, soulTemplate };
}

type Updates = Omit<z.infer<typeof updateAgentInput>, 'id' | 'force'>;

function updateOf(agent: Agent, input: Updates, force: boolean): AgentChange | null {
  const changes = changesOf(agent, input);
  const names = Object.keys(changes);
  if (names.length === 0 && !force) return null;
  const what = [...names, ...(force ? ['all documents are written again'] : [])];
  return {
    data: { ...Object.assign({}, ...Object.values(changes)), ...(force && { isManaged: true }) },
    requests: force ? ['OVERWRITE'] : [],
    event: { type: 'UPDATED', details: { message: `Changed: ${what.join(', ')}.` } },
  };
}

/** What differs, by the names of the input's fields. */
function changesOf(agent: Agent, input: Updates): Record<string, Prisma.AgentUncheckedUpdateInput> {
  const changes: Record<string, Prisma.AgentUncheckedUpdateInput> = {};
  if (input.name && input.name !== agent.name) changes.name = { name: input.name };
  if (input.identityProfile) {
    const identityProfile = mergedProfile(storedProfileOf(agent.identityProfile), input.identityProfile);
    if (!isSame(identityProfile, agent.identityProfile)) changes.identityProfile = { identityProfile };
  }
  for (const field of ['identityTemplate', 'soulTemplate'] as const) {
    const template = input[field];
    if (template !== undefined && template !== agent[field]) changes[field] = { [field]: template };
  }
  if (input.heartbeat) {
    const heartbeatEnabled = input.heartbeat.enabled ?? true;
    const heartbeatIntervalSeconds = input.heartbeat.intervalSeconds ?? 300;
    if (heartbeatEnabled !== agent.heartbeatEnabled || heartbeatIntervalSeconds !== agent.heartbeatIntervalSeconds)
      changes.heartbeat = { heartbeatEnabled, heartbeatIntervalSeconds };
  }
  return changes;
}

/**
 * Stops an agent: its heartbeats at the gateway are turned off, and the run under way is aborted. Asking again changes
 * nothing.
 * @throws ForbiddenError, NotFoundError, ConflictError (it is being deleted)
 */
export async function pauseAgent(fleet: Fleet, viewer: Viewer, id: string): Promise<Agent> {
  const agent = await findAgent(fleet, viewer, id);
  authorize(viewer, 'pauseAgent', { agent });
  return changeAgent(fleet, viewer, agent.id, ({ status }) => {
    if (status === 'PAUSED') return null;
    return { data: { status: 'PAUSED' }, event: { type: 'STATUS_CHANGED', details: { previousStatus: status } } };
  });
}

/**
 * Lets a paused agent go on, and wakes it. Asking for it when it is not paused changes nothing.
 * @throws ForbiddenError, NotFoundError, ConflictError (it is being deleted)
 */
export async function resumeAgent(fleet: Fleet, viewer: Viewer, id: string): Promise<Agent> {
  const agent = await findAgent(fleet, viewer, id);
  authorize(viewer, 'resumeAgent', { agent });
  return changeAgent(fleet, viewer, agent.id, ({ status, observedGeneration, isManaged }) => {
    if (status !== 'PAUSED') return null;
    return {
      // What it showed before it was paused says nothing of how it is now.
      data: { status: observedGeneration > 0 ? 'READY' : 'PROVISIONING', liveness: 'UNKNOWN' },
      requests: isManaged ? ['WAKE'] : [],
      event: { type: 'STATUS_CHANGED', details: { previousStatus: status } },
    };
  });
}

const reprovisionAgentInput = z.object({
  id: z.string(),
  force: z.boolean().nullish(),
  rotateToken: z.boolean().nullish(),
  resetSession: z.boolean().nullish(),
});

/**
 * Has an agent's gateway brought in line with it again, and what failed tried again now.
 * @throws ForbiddenError, ValidationError (a new token for an adopted agent, whose files are left alone), NotFoundError,
 *   ConflictError (it is being deleted)
 */
export async function reprovisionAgent(fleet: Fleet, viewer: Viewer, given: unknown): Promise<Agent> {
  const { id, force, rotateToken, resetSession } = parseInput(reprovisionAgentInput, given);
  const agent = await findAgent(fleet, viewer, id);
  authorize(viewer, 'reprovisionAgent', { agent });
  const asked: [boolean | null | undefined, AgentRequest[], string][] = [
    [force, ['OVERWRITE'], 'all documents'],
    [rotateToken, ['ROTATE_TOKEN'], 'a new token'],
    [resetSession, ['RESET_SESSION'], 'a new session'],
  ];
  const wanted = asked.filter(([isAsked]) => isAsked);
  const what = wanted.map(([, , words]) => words).join(', ');
  return changeAgent(fleet, viewer, agent.id, ({ isManaged }) => {
    if (!isManaged && !force && rotateToken) {
      const message = 'needs input.force: the files of an adopted agent, and so its token, are left alone without it';
      throw new ValidationError([{ path: 'input.rotateToken', message }]);
    }
    return {
      data: { isManaged: isManaged || (force ?? false) },
      requests: [
        ...wanted.flatMap(([, requests]) => requests),
        // A session without a past has to be told what it is for.
        ...(resetSession && (isManaged || force) ? (['WAKE'] as const) : []),
      ],
      event: { type: 'UPDATED', details: { message: `Reprovisioning was asked for${what && `, with ${what}`}.` } },
    };
  });
}
