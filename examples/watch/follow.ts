import type { Client } from 'graphql-ws';
import type { TypedDocumentString, WatchChangesSubscription } from '../../src/generated/client/graphql.ts';
import { goesOn } from '../live.ts';
import { CHANGES, FLEET } from './documents.ts';

export type Change = WatchChangesSubscription['agentEvents'];

/**
 * The fleet as it stands, and where the log of events stood just before.
 * @throws what the server refused it with, or the close event of a connection that does not come again
 */
export async function readFleet(client: Client, boardId: string | null) {
  const filter = { boardId };
  const first = await ask(client, FLEET, { filter });
  const agents = [...first.agents.nodes];
  for (let { pageInfo } = first.agents; pageInfo.hasNextPage; ) {
    const next = await ask(client, FLEET, { filter, after: pageInfo.endCursor });
    agents.push(...next.agents.nodes);
    pageInfo = next.agents.pageInfo;
  }
  // The first page's cursor: what happens while the others are read comes as events.
  return { agents, eventCursor: first.agents.eventCursor };
}

/** Every change after the cursor, once and in order, until the client is disposed of. @throws as readFleet does */
export async function* followChanges(client: Client, boardId: string | null, cursor: string): AsyncGenerator<Change> {
  // The client sends this again when it has connected again, by then with the cursor of the latest change.
  const request = { query: CHANGES.toString(), variables: { filter: { boardId }, after: cursor } };
  for (;;) {
    try {
      for await (const { data, errors } of client.iterate<WatchChangesSubscription>(request)) {
        if (!data) throw errors;
        yield data.agentEvents;
        request.variables.after = data.agentEvents.cursor;
      }
      return;
    } catch (error) {
      if (!(await goesOn(error))) throw error;
    }
  }
}

async function ask<Result, Variables extends Record<string, unknown>>(
  client: Client,
  document: TypedDocumentString<Result, Variables>,
  variables: Variables,
): Promise<Result> {
  for await (const { data, errors } of client.iterate<Result>({ query: document.toString(), variables })) {
    if (!data) throw errors;
    return data;
  }
  throw new Error('The connection was closed before the answer came.');
}
