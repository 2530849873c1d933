import { useState } from 'react';
import type { LinkState } from '../../live.ts';
import type { PageViewerQuery } from '../generated/graphql.ts';
import { AgentsTable } from './agents-table.tsx';
import { NewAgent } from './new-agent.tsx';
import { useAgents } from './use-agents.ts';
import { useBoards } from './use-boards.ts';

const LINK_TEXT: Record<LinkState, string> = {
  connecting: 'Connecting…',
  live: 'Live',
  broken: 'Connection lost. Trying again…',
};

interface FleetPageProps {
  viewer: PageViewerQuery['viewer'];
  link: LinkState;
  onSignOut: () => void;
}

/** The agents as they are now, those of a board or all, and a form for a new one. */
export function FleetPage({ viewer, link, onSignOut }: FleetPageProps) {
  const [boardId, setBoardId] = useState<string | null>(null);
  const { agents, news, error: agentsError } = useAgents(boardId);
  const { boards, error: boardsError } = useBoards(agents ?? []);
  const error = agentsError ?? boardsError;
  const mayCreate = viewer.role === 'OWNER' || viewer.role === 'ADMIN';

  return (
    <>
      <header>
        <div>
          <h1>Agents</h1>
          <p className="quiet">
            {viewer.organization.name} · {(viewer.role ?? viewer.kind).toLowerCase()}
          </p>
        </div>
        <p role="status" className={`link ${link}`}>
          {LINK_TEXT[link]}
        </p>
        <button type="button" className="plain" onClick={onSignOut}>
          Sign out
        </button>
      </header>
      <main>
        <section className="card" aria-labelledby="agents-title">
          <div className="bar">
            <h2 id="agents-title">
              {agents === null ? 'Agents' : `${agents.length} ${agents.length === 1 ? 'agent' : 'agents'}`}
            </h2>
            <label className="inline">
              Board
              <select value={boardId ?? ''} onChange={({ target }) => setBoardId(target.value || null)}>
                <option value="">All boards</option>
                {boards.map(({ id, name }) => (
                  <option key={id} value={id}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
          </div>
          {error && (
            <p role="alert" className="error">
              {error}
            </p>
          )}
          {agents && <AgentsTable agents={agents} />}
          {agents === null && !error && <p className="quiet">Reading…</p>}
          <p className="read-out" aria-live="polite">
            {news}
          </p>
        </section>
        {mayCreate && <NewAgent boards={boards} boardId={boardId} />}
      </main>
    </>
  );
}
