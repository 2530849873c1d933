import type { AgentKind, PageAgentFragment } from '../generated/graphql.ts';

const KIND_TEXT: Record<AgentKind, string> = {
  BOARD_LEAD: 'Lead',
  BOARD_WORKER: 'Worker',
  GATEWAY_MAIN: 'Gateway',
};

export function AgentsTable({ agents }: { agents: readonly PageAgentFragment[] }) {
  if (agents.length === 0) return <p className="quiet">There is none here yet.</p>;
  return (
    <div className="scroll">
      <table aria-labelledby="agents-title">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Board</th>
            <th scope="col">Status</th>
            <th scope="col">Liveness</th>
            <th scope="col">Provisioning</th>
            <th scope="col">Last seen</th>
          </tr>
        </thead>
        <tbody>
          {agents.map((agent) => (
            <AgentRow key={agent.id} agent={agent} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function AgentRow({ agent }: { agent: PageAgentFragment }) {
  const { name, kind, status, liveness, lastSeenAt, board, identityProfile, provisioning } = agent;
  return (
    <tr>
      <th scope="row">
        <div className="who">
          <span className="emoji" aria-hidden="true">
            {identityProfile.emoji ?? name.slice(0, 1)}
          </span>
          <span>
            {name}
            <small>
              {KIND_TEXT[kind]} · {identityProfile.role}
            </small>
          </span>
        </div>
      </th>
      <td>{board?.name ?? <span className="quiet">–</span>}</td>
      <td>
        <Badge text={status} />
      </td>
      <td>
        <Badge text={liveness} />
      </td>
      <td>
        <ProvisioningCell provisioning={provisioning} />
      </td>
      <td>
        {lastSeenAt ? (
          <time dateTime={lastSeenAt} title={lastSeenAt}>
            {new Date(lastSeenAt).toLocaleTimeString()}
          </time>
        ) : (
          <span className="quiet">never</span>
        )}
      </td>
    </tr>
  );
}

/** Colour says it too, never alone. */
function Badge({ text }: { text: string }) {
  return <span className={`badge ${text.toLowerCase()}`}>{words(text)}</span>;
}

function ProvisioningCell({ provisioning }: Pick<PageAgentFragment, 'provisioning'>) {
  const { phase, steps, lastError } = provisioning;
  const step = steps.at(-1);
  return (
    <>
      {words(phase)}
      {phase === 'RUNNING' && step && (
        <small>
          {words(step.name)}
          {step.outcome === 'RUNNING' && '…'}
        </small>
      )}
      {lastError && (
        <small className="error">
          {lastError.message} {lastError.hint}
        </small>
      )}
    </>
  );
}

/** WRITE_DOCUMENTS as people write it; new members of an enum are shown as well. */
function words(name: string): string {
  return name.charAt(0) + name.slice(1).toLowerCase().replaceAll('_', ' ');
}
