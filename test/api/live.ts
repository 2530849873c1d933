import type { AgentEventsSubscription } from '../../src/generated/client/graphql.ts';
import type { Client, Subscription } from '../support/client.ts';
import { Heartbeat } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';

/** Lets an agent report in until the subscription tells of it: from then on the subscription misses nothing. */
export async function joined(owner: Client, live: Subscription<AgentEventsSubscription>, id: string): Promise<void> {
  await eventually(
    async () => {
      await owner.run(Heartbeat, { input: { id } });
      return live.received.map(({ value }) => value.agentEvents);
    },
    (events) => events.some((event) => event.type === 'HEARTBEAT' && event.agentId === id),
  );
}
