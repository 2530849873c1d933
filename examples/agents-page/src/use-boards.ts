import { useEffect, useState } from 'react';
import { useClient } from 'urql';
import type { PageBoardsQuery } from '../generated/graphql.ts';
import { messageOf } from './api.ts';
import { BOARDS } from './documents.ts';

export type Board = PageBoardsQuery['boards']['nodes'][number];

/** The boards, read again when an agent is seen that is on another one. */
export function useBoards(seen: readonly { board: Board | null }[]): { boards: Board[]; error: string | null } {
  const client = useClient();
  const [boards, setBoards] = useState<Board[]>([]);
  const [error, setError] = useState<string | null>(null);
  const [isUnread, setIsUnread] = useState(true);
  const unknown = seen.find(({ board }) => board && !boards.some(({ id }) => id === board.id))?.board?.id;

  useEffect(() => {
    if (!isUnread && unknown === undefined) return;
    let isOver = false;
    const read = async () => {
      const all: Board[] = [];
      for (let after: string | null = null, more = true; more; ) {
        const { data, error: failure } = await client.query(BOARDS, { after }).toPromise();
        if (isOver) return;
        if (!data) return setError(failure ? messageOf(failure) : 'The server has given no answer.');
        const page: PageBoardsQuery['boards'] = data.boards;
        all.push(...page.nodes);
        ({ hasNextPage: more, endCursor: after } = page.pageInfo);
      }
      setBoards(all);
      setError(null);
      setIsUnread(false);
    };
    void read();
    return () => {
      isOver = true;
    };
  }, [client, isUnread, unknown]);

  return { boards, error };
}
