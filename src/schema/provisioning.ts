import type { GatewayFailure } from '../fleet/errors.ts';
import type {
  Agent,
  ProvisioningPhase,
  ProvisioningStep,
  ProvisioningStepName,
  StepOutcome,
} from '../generated/prisma/client.ts';
import { builder } from './builder.ts';
import { gatewayError } from './errors.ts';

const provisioningPhase = builder.enumType('ProvisioningPhase', {
  description: 'How bringing a gateway in line with an agent stands.',
  values: {
    PENDING: { description: 'Waits for its turn.' },
    RUNNING: { description: 'Under way.' },
    SUCCEEDED: { description: 'The gateway has what was asked for.' },
    RETRYING: { description: 'Failed in a way that may pass; tried again at nextAttemptAt.' },
    FAILED: { description: 'Failed in a way that needs an operator.' },
  } satisfies Record<ProvisioningPhase, object>,
});

const provisioningStepName = builder.enumType('ProvisioningStepName', {
  description: 'One step of bringing a gateway in line with an agent.',
  values: {
    REGISTER: { description: 'The agent’s entry in the gateway’s configuration: name, workspace, heartbeat.' },
    ISSUE_TOKEN: { description: 'A new token, when there is none or one was asked for.' },
    RENDER: { description: 'The documents are made from their templates.' },
    WRITE_DOCUMENTS: { description: 'The documents that differ, and no others.' },
    PREPARE_SESSION: { description: 'The agent’s session, with its name as label.' },
    RESET_SESSION: { description: 'The agent’s session begins anew.' },
    WAKE: { description: 'The agent is told to begin.' },
    REMOVE: { description: 'The agent, its workspace and its session leave the gateway.' },
  } satisfies Record<ProvisioningStepName, object>,
});

const stepOutcome = builder.enumType('StepOutcome', {
  description: 'What came of a step.',
  values: {
    RUNNING: { description: 'Under way.' },
    CHANGED: { description: 'Something was sent to the gateway.' },
    UNCHANGED: { description: 'Already as it should be; nothing was sent.' },
    FAILED: { description: 'It could not be done; see lastError.' },
  } satisfies Record<StepOutcome, object>,
});

/** A step as it is stored, or as an event tells it. */
export type StepRecord = Omit<ProvisioningStep, 'agentId'>;

export const provisioningStep = builder.objectRef<StepRecord>('ProvisioningStep').implement({
  description: 'A step of the latest provisioning run.',
  fields: (t) => ({
    name: t.expose('name', { type: provisioningStepName, description: 'Which step.' }),
    outcome: t.expose('outcome', { type: stepOutcome, description: 'What came of it.' }),
    detail: t.exposeString('detail', {
      nullable: true,
      description: 'For WRITE_DOCUMENTS, the names of the documents that were written.',
    }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When it began.' }),
    durationMs: t.exposeFloat('durationMs', {
      nullable: true,
      description: 'How long it took, in milliseconds; null while it is under way.',
    }),
  }),
});

export const PROVISIONING_COLUMNS = {
  generation: true,
  observedGeneration: true,
  provisioningPhase: true,
  attempts: true,
  nextAttemptAt: true,
  lastError: true,
  failingSince: true,
  provisioningHint: true,
  provisioningStartedAt: true,
  provisioningFinishedAt: true,
  steps: { orderBy: { startedAt: 'asc' } },
} as const;

type ProvisioningRow = Pick<Agent, Exclude<keyof typeof PROVISIONING_COLUMNS, 'steps'>> & { steps: StepRecord[] };

export const provisioning = builder.objectRef<ProvisioningRow>('Provisioning').implement({
  description: 'How far an agent’s gateway has been brought in line with what was asked for.',
  fields: (t) => ({
    phase: t.expose('provisioningPhase', { type: provisioningPhase, description: 'How it stands.' }),
    generation: t.exposeInt('generation', { description: 'Counts up with every change of what is asked for.' }),
    observedGeneration: t.exposeInt('observedGeneration', {
      description: 'The generation that the gateway was last brought in line with.',
    }),
    attempts: t.exposeInt('attempts', { description: 'How often this generation was tried.' }),
    nextAttemptAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it is tried again by itself; null unless it has failed in a way that may pass.',
      resolve: (row) =>
        row.provisioningPhase === 'RETRYING' || row.provisioningPhase === 'FAILED' ? row.nextAttemptAt : null,
    }),
    lastError: t.field({
      type: gatewayError,
      nullable: true,
      description: 'Why the latest attempt failed; null when it did not.',
      // Only provisioning writes this column, in this form. Not as an Error: GraphQL would take that for thrown.
      resolve: ({ lastError }) => lastError as GatewayFailure | null,
    }),
    failingSince: t.expose('failingSince', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when every attempt has failed; null when the latest one did not.',
    }),
    hint: t.exposeString('provisioningHint', {
      nullable: true,
      description:
        'What the operator should know although it succeeded, in one sentence: for example that the agent can run no ' +
        'command, so that it cannot report in. Null when there is nothing.',
    }),
    steps: t.expose('steps', { type: [provisioningStep], description: 'The steps of the latest run, in order.' }),
    startedAt: t.expose('provisioningStartedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the latest run began.',
    }),
    finishedAt: t.expose('provisioningFinishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the latest run ended; null while it is under way.',
    }),
  }),
});
