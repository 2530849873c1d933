import { visibleTasks } from '../access/visibility.ts';
import type { TaskChange } from '../events/announcements.ts';
import { findBoard } from '../fleet/boards.ts';
import { builder } from './builder.ts';
import { task } from './task.ts';

const taskEventType = builder.enumType('TaskEventType', {
  description: 'What happened to a task.',
  values: {
    CREATED: { description: 'It was put on the board.' },
    UPDATED: { description: 'It has changed.' },
    DELETED: { description: 'It is gone.' },
  } satisfies Record<TaskChange['type'], object>,
});

const taskEvent = builder.objectRef<TaskChange>('TaskEvent').implement({
  description: 'Something that happened to a task.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When.' }),
    taskId: t.exposeID('taskId', { description: 'To which task.' }),
    task: t.prismaField({
      type: task,
      nullable: true,
      description: 'As it is now; null once it is deleted.',
      resolve: (query, { taskId }, _args, { fleet, viewer }) =>
        fleet.database.prisma.task.findFirst({ ...query, where: { id: taskId, ...visibleTasks(viewer) } }),
    }),
    type: t.expose('type', { type: taskEventType, description: 'What happened.' }),
  }),
});

builder.subscriptionField('taskEvents', (t) =>
  t.field({
    type: taskEvent,
    description:
      'The tasks of a board as they come, change and go. They are not kept: subscribe, then read the tasks. When some ' +
      'may have been missed, the subscription ends with the code SUBSCRIPTION_GAP.',
    args: { boardId: t.arg.id({ required: true, description: 'The board.' }) },
    subscribe: async (_root, { boardId }, { fleet, viewer, announcements }) => {
      const board = await findBoard(fleet, viewer, boardId);
      return announcements.tasks.subscribe((change) => change.boardId === board.id);
    },
    resolve: (change) => change,
  }),
);
