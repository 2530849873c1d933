import { visibleGateways } from '../access/visibility.ts';
import { ConflictError, NotFoundError, ValidationError } from '../fleet/errors.ts';
import { findTemplateSync, followTemplateSync, syncGatewayTemplates } from '../fleet/template-syncs.ts';
import { isId } from '../fleet/validation.ts';
import type { SyncFailure } from '../provisioning/template-sync.ts';
import { agent } from './agent.ts';
import { agentById } from './agent-by-id.ts';
import { builder } from './builder.ts';
import { resultUnion } from './errors.ts';
import { node } from './node.ts';

const syncPhase = builder.enumType('SyncPhase', {
  description: 'How far a sync is.',
  values: {
    RUNNING: { description: 'Some of its agents are not done with.' },
    SUCCEEDED: { description: 'All of its agents are in line.' },
    PARTIAL: { description: 'Finished, and some agents could not be brought in line.' },
    FAILED: { description: 'Finished, and no agent could be brought in line.' },
  },
});

const templateSyncFailure = builder.objectRef<SyncFailure>('TemplateSyncFailure').implement({
  description: 'An agent that could not be brought in line.',
  fields: (t) => ({
    agent: t.field({
      type: agent,
      nullable: true,
      description: 'Which; null when it is gone.',
      resolve: ({ agentId }, _args, context, info) => agentById(context, info, agentId),
    }),
    message: t.exposeString('message', { description: 'Why not.' }),
  }),
});

const templateSync = builder.prismaObject('TemplateSync', {
  description: 'Agents of a gateway on their way to be in line with the templates.',
  interfaces: [node],
  authScopes: { gatewayReader: true },
  // Its columns are always all there, and so as they were when the row was read: with a select, each told progress would
  // be read afresh, and the end could be told twice.
  fields: (t) => ({
    gateway: t.relation('gateway', { description: 'Whose agents.' }),
    phase: t.expose('phase', { type: syncPhase, description: 'How far it is.' }),
    total: t.exposeInt('total', { description: 'How many agents.' }),
    updated: t.exposeInt('updated', { description: 'Agents of which something was written.' }),
    unchanged: t.exposeInt('unchanged', { description: 'Agents whose documents were in line already.' }),
    skipped: t.exposeInt('skipped', {
      description: 'Agents that were adopted, whose files are left alone, and agents that were deleted meanwhile.',
    }),
    failures: t.field({
      type: [templateSyncFailure],
      description:
        'Agents that only a person can help. What may pass by itself is tried again, and the sync waits for it.',
      resolve: ({ failures }) => failures as unknown as SyncFailure[],
    }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When it was asked for.' }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true, description: 'When it ended.' }),
  }),
});

const syncGatewayTemplatesInput = builder.inputType('SyncGatewayTemplatesInput', {
  description: 'Which agents of a gateway are to be brought in line with the templates, and how.',
  fields: (t) => ({
    gatewayId: t.id({ required: true, description: 'The gateway.' }),
    boardId: t.id({ description: 'Only agents of this board of the gateway.' }),
    includeMain: t.boolean({
      defaultValue: true,
      description: 'The gateway’s main agent, too; it belongs to no board, so not with boardId.',
    }),
    leadOnly: t.boolean({ defaultValue: false, description: 'Of the boards’ agents only the leads.' }),
    rotateTokens: t.boolean({
      defaultValue: false,
      description: 'Give every agent a new token; the old one works until the new one is in its workspace.',
    }),
    overwrite: t.boolean({
      defaultValue: false,
      description: 'Write all documents, MEMORY.md and USER.md too, over what the agent has made of them.',
    }),
    forceBootstrap: t.boolean({ defaultValue: false, description: 'Send the first wake-up message again.' }),
    resetSessions: t.boolean({ defaultValue: false, description: 'Begin the agents’ sessions afresh, and wake them.' }),
  }),
});

builder.queryField('templateSync', (t) =>
  t.prismaField({
    type: templateSync,
    nullable: true,
    description: 'The sync with this id.',
    args: { id: t.arg.id({ required: true, description: 'The sync’s id.' }) },
    resolve: (query, _root, { id }, { fleet, viewer }) =>
      isId(id)
        ? fleet.database.prisma.templateSync.findFirst({ ...query, where: { id, gateway: visibleGateways(viewer) } })
        : null,
  }),
);

builder.mutationField('syncGatewayTemplates', (t) =>
  t.field({
    type: templateSync,
    description:
      'Brings every agent of a gateway in line with the templates, which are read afresh from the template folder. ' +
      'Returns at once; follow templateSyncProgress.',
    args: { input: t.arg({ type: syncGatewayTemplatesInput, required: true, description: 'What to sync.' }) },
    errors: resultUnion('SyncGatewayTemplatesResult', [ValidationError, NotFoundError, ConflictError]),
    resolve: (_root, { input }, { fleet, viewer }) => syncGatewayTemplates(fleet, viewer, input),
  }),
);

builder.subscriptionField('templateSyncProgress', (t) =>
  t.field({
    type: templateSync,
    description: 'The sync as it is now, then at every change, ending when it has finished.',
    args: { id: t.arg.id({ required: true, description: 'The sync’s id.' }) },
    subscribe: async (_root, { id }, { fleet, viewer, announcements }) => {
      const sync = await findTemplateSync(fleet, viewer, id);
      return followTemplateSync(fleet, announcements, sync.id);
    },
    resolve: (sync) => sync,
  }),
);
