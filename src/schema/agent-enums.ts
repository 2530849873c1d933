import type { AgentEventType, AgentKind, AgentStatus, Liveness } from '../generated/prisma/client.ts';
import { builder } from './builder.ts';

export const agentKind = builder.enumType('AgentKind', {
  description: 'An agent’s part in the fleet.',
  values: {
    BOARD_LEAD: { description: 'One per board; orchestrates the board’s other agents.' },
    BOARD_WORKER: { description: 'Does tasks of its board.' },
    GATEWAY_MAIN: { description: 'One per gateway; runs gateway-level operations.' },
  } satisfies Record<AgentKind, object>,
});

export const agentStatus = builder.enumType('AgentStatus', {
  description: 'What an agent is doing.',
  values: {
    PROVISIONING: { description: 'Being created, or being brought back in line with what was asked for.' },
    READY: { description: 'Provisioned; has not reported in yet.' },
    ACTIVE: { description: 'Executing a task.' },
    IDLE: { description: 'Alive and waiting for work.' },
    PAUSED: { description: 'Stopped by an operator; its heartbeats are off at the gateway.' },
    DELETED: {
      description: 'Being removed, or removed. Not listed any more; readable by its id until it has left the gateway.',
    },
  } satisfies Record<AgentStatus, object>,
});

export const liveness = builder.enumType('Liveness', {
  description: 'Whether an agent still shows signs of life.',
  values: {
    UNKNOWN: { description: 'Has not reported in since it was provisioned.' },
    ONLINE: { description: 'Seen within its heartbeat interval and its grace.' },
    LATE: { description: 'Its latest sign of life is older than one heartbeat interval and its grace.' },
    OFFLINE: { description: 'Older than three intervals.' },
  } satisfies Record<Liveness, object>,
});

export const agentEventType = builder.enumType('AgentEventType', {
  description: 'What happened to an agent.',
  values: {
    CREATED: { description: 'It was asked for.' },
    UPDATED: { description: 'What is asked for has changed, or its gateway was brought back in line.' },
    STATUS_CHANGED: { description: 'Its status changed.' },
    LIVENESS_CHANGED: { description: 'Its liveness changed.' },
    PROVISIONING: {
      description:
        'One step of provisioning began or ended; or, without a step, the phase changed and the message says to what.',
    },
    HEARTBEAT: { description: 'It reported in.' },
    MESSAGE_SENT: { description: 'A message was sent to its session.' },
    DELETED: { description: 'It has left its gateway, and its record is gone.' },
  } satisfies Record<AgentEventType, object>,
});
