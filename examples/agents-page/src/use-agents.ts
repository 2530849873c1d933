import type { Client } from '@urql/core';
import { useEffect, useState } from 'react';
import { useClient } from 'urql';
import type { PageAgentFragment, PageAgentsQuery } from '../generated/graphql.ts';
import { isTooLate, messageOf } from './api.ts';
import { AGENT_EVENTS, AGENTS } from './documents.ts';

export interface Fleet {
  /** Null until the list was read. */
  agents: readonly PageAgentFragment[] | null;
  /** The latest change of a status, to be read out. */
  news: string;
  error: string | null;
}

const UNREAD: Fleet = { agents: null, news: '', error: null };

/** The agents, all or those of a board, as they are now. */
export function useAgents(boardId: string | null): Fleet {
  const client = useClient();
  const [fleet, setFleet] = useState(UNREAD);

  useEffect(() => {
    let isOver = false;
    let end = () => {};
    const fail = (error: string) => setFleet((before) => ({ ...before, error }));

    const follow = async () => {
      setFleet(UNREAD);
      const read = await readAgents(client, boardId);
      if (isOver) return;
      if ('error' in read) return fail(read.error);
      setFleet({ ...UNREAD, agents: read.agents });
      const variables = { filter: { boardId }, after: read.eventCursor };
      ({ unsubscribe: end } = client.subscription(AGENT_EVENTS, variables).subscribe(({ data, error }) => {
        if (error) return isTooLate(error) ? void follow() : fail(messageOf(error));
        if (data) setFleet((before) => changed(before, data.agentEvents));
      }));
    };
    void follow();

    return () => {
      isOver = true;
      end();
    };
  }, [client, boardId]);

  return fleet;
}

/** All pages, and where the log of events stood before the first of them. */
async function readAgents(
  client: Client,
  boardId: string | null,
): Promise<{ agents: PageAgentFragment[]; eventCursor: string } | { error: string }> {
  const agents: PageAgentFragment[] = [];
  let eventCursor: string | null = null;
  let after: string | null = null;
  for (;;) {
    const { data, error } = await client.query(AGENTS, { filter: { boardId }, after }).toPromise();
    if (error || !data) return { error: error ? messageOf(error) : 'The server has given no answer.' };
    const page: PageAgentsQuery['agents'] = data.agents;
    agents.push(...page.nodes);
    eventCursor ??= page.eventCursor;
    if (!page.pageInfo.hasNextPage) return { agents, eventCursor };
    after = page.pageInfo.endCursor;
  }
}

/** Pure: the list after an event, which has the agent as it is now. */
function changed(before: Fleet, { agentId, agent }: { agentId: string; agent: PageAgentFragment | null }): Fleet {
  const agents = before.agents ?? [];
  const known = agents.find(({ id }) => id === agentId);
  if (!agent || agent.status === 'DELETED') {
    const news = known ? `${known.name} was deleted` : before.news;
    return { ...before, agents: agents.filter((one) => one !== known), news };
  }
  const news = known?.status === agent.status ? before.news : `${agent.name} is ${agent.status.toLowerCase()}`;
  const list = known ? agents.map((one) => (one === known ? agent : one)) : [...agents, agent];
  return { ...before, agents: list, news };
}
