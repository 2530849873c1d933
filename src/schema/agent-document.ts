import type { DocumentChange, DocumentDelivery } from '../provisioning/delivery.ts';
import { builder } from './builder.ts';

const documentDelivery = builder.enumType('DocumentDelivery', {
  description: 'How a document reaches the agent. Gateways differ in which files they take.',
  values: {
    FILE: { description: 'A file of the workspace with the document’s own name.' },
    SECTION: { description: 'A section of another file of the workspace.' },
    HEARTBEAT_SCRATCH: {
      description: 'The instructions that the gateway hands to the agent at each of its heartbeats.',
    },
    WAKE_MESSAGE: { description: 'A part of the first wake-up message.' },
  } satisfies Record<DocumentDelivery, object>,
});

const documentChange = builder.enumType('DocumentChange', {
  description: 'How a document differs from what the agent has.',
  values: {
    CREATE: { description: 'The agent does not have it.' },
    UPDATE: { description: 'It differs and would be written.' },
    UNCHANGED: { description: 'The agent has it.' },
    PRESERVED: { description: 'Differs, and is left alone because it belongs to the agent (MEMORY.md, USER.md).' },
    SENT: { description: 'Sent once, when the agent was first woken.' },
  } satisfies Record<DocumentChange, object>,
});

export const agentDocument = builder.simpleObject('AgentDocument', {
  description: 'One of the documents that tell an agent who it is and what to do.',
  fields: (t) => ({
    name: t.string({ description: 'For example TOOLS.md.' }),
    content: t.string({ description: 'The text, with secrets masked.' }),
    delivery: t.field({ type: documentDelivery, description: 'How it reaches the agent.' }),
    file: t.string({
      nullable: true,
      description: 'The file that holds it, for example AGENTS.md; null when no file does.',
    }),
    change: t.field({
      type: documentChange,
      nullable: true,
      description: 'Null when the gateway cannot be asked now.',
    }),
  }),
});

export const workspaceFile = builder.simpleObject('WorkspaceFile', {
  description: 'A file of an agent’s workspace, as the gateway has it.',
  fields: (t) => ({
    name: t.string({ description: 'For example AGENTS.md.' }),
    size: t.int({ nullable: true, description: 'Bytes.' }),
    updatedAt: t.field({ type: 'DateTime', nullable: true, description: 'When it last changed.' }),
    missing: t.boolean({ description: 'Whether the workspace does not have it.' }),
    content: t.string({
      nullable: true,
      description: 'Read from the gateway when asked for. Tokens are masked.',
    }),
  }),
});
