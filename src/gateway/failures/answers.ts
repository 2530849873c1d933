import {
  because,
  detail,
  either,
  lasting,
  passing,
  passingRefusal,
  type Rule,
  SEE_LOG,
  says,
  VERSIONS_DIFFER,
  WAIT_FOR_IT,
} from './rule.ts';

/**
 * What a gateway answers to a request, measured on OpenClaw 2026.9.6. Most of these are INVALID_REQUEST or UNAVAILABLE without a
 * code of their own, so the message is all there is to match.
 */
export const ANSWER_FAILURES: readonly Rule[] = [
  // ---- cannot serve now
  {
    reason: 'starting',
    matches: either(because('startup-sidecars'), says(/gateway starting/i)),
    ...passing,
    retryAfterMs: 500,
    hint: WAIT_FOR_IT,
    message: () => 'The gateway is starting.',
  },
  // New requests while draining; a run under way ends with GatewayDrainingError.
  {
    reason: 'draining',
    matches: either(
      because('gateway-restarting', 'gateway-suspending'),
      says(/during gateway restart|GatewayDrainingError/i),
    ),
    ...passing,
    hint: WAIT_FOR_IT,
    message: () => 'The gateway is restarting.',
  },
  // An agent that was deleted and came back by a patch, for one: what was written is on disk, and the gateway restarts.
  {
    reason: 'draining',
    matches: says(/recovery restart is required/i),
    ...passing,
    hint: WAIT_FOR_IT,
    message: () => 'The gateway restarts to take over its new configuration.',
  },
  // A workspace that cannot be made; the gateway calls both passing (measured on OpenClaw 2026.9.6).
  {
    reason: 'workspace-refused',
    matches: says(/\b(EPERM|EACCES|EROFS|ENOTDIR|ENOSPC)\b/),
    ...lasting,
    hint: "Let the gateway's user write to the workspace's folder, or choose another workspaceRoot with updateGateway; then call checkGateway.",
  },
  {
    reason: 'workspace-refused',
    matches: says(/gateway\.maintenance_required/),
    ...lasting,
    hint: "Run openclaw doctor --fix on the gateway's machine, or choose another workspaceRoot with updateGateway; then call checkGateway.",
  },
  // About 256 requests waiting over all connections; it does not say how long to wait.
  { reason: 'busy', matches: says(/server is busy/i), ...passing, retryAfterMs: 250, hint: WAIT_FOR_IT },
  // sessions.list in the moments after agents.delete, once; the gateway calls it not retryable.
  { reason: 'busy', matches: says(/database read was revoked/i), ...passing, retryAfterMs: 100, hint: WAIT_FOR_IT },
  // agents.delete right after a run was stopped; then sessions.list, of any agent, until the agent is deleted again.
  {
    reason: 'busy',
    matches: says(/database resource drainage failed|database resources are closing/i),
    ...passing,
    retryAfterMs: 250,
    hint: WAIT_FOR_IT,
  },
  // config.patch: 30 in 60 s; refused, failed and no-op calls count.
  { reason: 'rate-limited', matches: says(/rate limit exceeded/i), ...passingRefusal, hint: WAIT_FOR_IT },
  {
    reason: 'session-busy',
    matches: says(/another lifecycle mutation in progress/i),
    ...passing,
    retryAfterMs: 250,
    hint: WAIT_FOR_IT,
  },

  // ---- configuration
  // The write is on disk, but another one won while it was being applied. The gateway calls it not retryable.
  { reason: 'superseded', matches: says(/persisted but was not applied/i), ...passingRefusal, hint: WAIT_FOR_IT },
  // The gateway calls it not retryable; with the present hash it is.
  {
    reason: 'stale-config',
    matches: says(/config changed since last load|config base hash required/i),
    ...passingRefusal,
    hint: WAIT_FOR_IT,
  },
  {
    reason: 'ownership',
    matches: says(/multi-agent rosters require agents\.ownership/i),
    ...lasting,
    hint: 'Set agents.ownership to "explicit" in openclaw.json on the gateway\'s machine.',
  },
  // A file of 512 bytes or more may not shrink below half; agents.delete runs into it too.
  {
    reason: 'size-drop',
    matches: says(/\(size-drop:|CONFIG_WRITE_REJECTED/),
    ...lasting,
    hint: "Shorten the largest entries of openclaw.json on the gateway's machine by hand: it refuses to lose half of its size at once.",
  },
  { reason: 'roster-drop', matches: says(/would drop agent roster entries/i), ...lasting, hint: SEE_LOG },
  {
    reason: 'invalid-config',
    matches: says(/^invalid config|would remove entries from array path|JSON5:/i),
    ...lasting,
    hint: "Correct the agent's value that is named with updateAgent, or run openclaw doctor on the gateway's machine.",
  },

  // ---- agents, files, sessions, jobs
  { reason: 'file-conflict', matches: because('agent_file_conflict'), ...passingRefusal, hint: WAIT_FOR_IT },
  {
    reason: 'unsupported-file',
    matches: says(/^unsupported file /),
    ...lasting,
    hint: "Update OpenClaw on the gateway's machine: it does not take a file that it lets read.",
  },
  // Links, and files above what it reads back. The types are from the source of agents.workspace.get.
  {
    reason: 'unsafe-file',
    matches: either(says(/^unsafe workspace file /), because('workspace_file_too_large', 'workspace_file_unsupported')),
    ...lasting,
    hint: "Look at the file in the agent's workspace: the gateway reads no links, no very large files and only text and images.",
  },
  {
    reason: 'missing-scope',
    matches: either(detail('MISSING_SCOPE'), says(/missing scope:/i)),
    ...lasting,
    connection: 'UNAUTHORIZED',
    hint: "Give this server's device the scope operator.admin: openclaw devices list on the gateway's machine shows what it has.",
  },
  { reason: 'already-exists', matches: says(/^agent ".*" already exists/), ...lasting, hint: null },
  // agents.create after a delete in the middle of a run; the gateway calls it not retryable.
  { reason: 'half-deleted', matches: says(/deletion cleanup is still pending/i), ...passingRefusal, hint: WAIT_FOR_IT },
  // Also the answer for up to 1.3 s after agents.create, until the hot reload. A missing agent is registered again.
  {
    reason: 'not-found',
    matches: either(
      says(/^(unknown )?agent ".*" (not found|no longer exists)/i),
      says(/session file not found|^unknown session key/i),
      because('session_file_not_found', 'workspace_file_not_found'),
      detail('CRON_JOB_NOT_FOUND', 'UNKNOWN_AGENT_ID'),
    ),
    ...passingRefusal,
    hint: WAIT_FOR_IT,
  },
  {
    reason: 'protected-agent',
    matches: says(/cannot be deleted|cannot delete the main session|" is reserved/i),
    ...lasting,
    hint: "Leave it: this is the gateway's own agent.",
  },
  // Labels are unique per agent only.
  {
    reason: 'label-in-use',
    matches: says(/^label already in use/),
    ...lasting,
    hint: 'Choose another name with updateAgent.',
  },
  {
    reason: 'message-conflict',
    matches: because('chat-request-conflict'),
    ...lasting,
    hint: 'Send it with another idempotency key: this one belongs to another message.',
  },
  {
    reason: 'unknown-method',
    matches: says(/^unknown method/),
    ...lasting,
    hint: "Update OpenClaw on the gateway's machine: this server uses a method that its version lacks.",
  },
  { reason: 'invalid-params', matches: says(/^invalid [\w.]+ params/), ...lasting, hint: VERSIONS_DIFFER },
];
