import type { Database } from '../db/database.ts';
import type { GatewayConnectionState } from '../generated/prisma/client.ts';
import { SubscriptionGap, Topic } from './topic.ts';

/** A gateway's connection as it changed. */
export interface GatewayStateChange {
  gatewayId: string;
  organizationId: string;
  at: Date;
  state: GatewayConnectionState;
  previousState: GatewayConnectionState;
}

/** A task that has come, changed or gone. */
export interface TaskChange {
  taskId: string;
  boardId: string;
  organizationId: string;
  at: Date;
  type: 'CREATED' | 'UPDATED' | 'DELETED';
}

/** Of one, a subscriber wants only the latest few: more behind than this, and it is ended. */
const QUEUE_CAPACITY = 256;
const GATEWAY_STATES = 'gateway_states';
const TEMPLATE_SYNCS = 'template_syncs';
const TASKS = 'tasks';

/**
 * What triggers of the database tell every process when something is committed, beside the log of agents' events. It is
 * not kept: whoever comes later reads the rows.
 */
export class Announcements {
  readonly gatewayStates = new Topic<GatewayStateChange>(QUEUE_CAPACITY);
  /** The id of a sync that has gone on; null when some may have been missed. */
  readonly templateSyncs = new Topic<string | null>(QUEUE_CAPACITY);
  readonly tasks = new Topic<TaskChange>(QUEUE_CAPACITY);
  readonly #database: Database;
  readonly #stops: (() => Promise<void>)[] = [];

  constructor(database: Database) {
    this.#database = database;
  }

  async start(): Promise<void> {
    this.#stops.push(
      await this.#database.listen(
        GATEWAY_STATES,
        (payload) => this.gatewayStates.publish(decoded<GatewayStateChange>(payload)),
        () => this.gatewayStates.fail(new SubscriptionGap()),
      ),
      await this.#database.listen(
        TEMPLATE_SYNCS,
        (id) => this.templateSyncs.publish(id),
        () => this.templateSyncs.publish(null),
      ),
      await this.#database.listen(
        TASKS,
        (payload) => this.tasks.publish(decoded<TaskChange>(payload)),
        // What was missed is told nowhere else: who follows has to read the tasks again.
        () => this.tasks.fail(new SubscriptionGap()),
      ),
    );
  }

  /** Ends all subscriptions and the listening. */
  async stop(): Promise<void> {
    this.gatewayStates.end();
    this.templateSyncs.end();
    this.tasks.end();
    for (const stop of this.#stops) await stop();
  }
}

/** The form is that of the triggers gateway_state_notify and task_notify. */
function decoded<Change extends { at: Date }>(payload: string): Change {
  const change = JSON.parse(payload);
  return { ...change, at: new Date(change.at) };
}
