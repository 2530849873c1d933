import { serveWith } from './heartbeats-otherwise.ts';

// The same server, but each heartbeat is written by itself, at once, and nothing else is: no task, no event, nobody is told.

await serveWith(({ prisma }, { agentId, status }) => {
  const at = new Date();
  const data = { status, liveness: 'ONLINE' as const, lastHeartbeatAt: at, lastSeenAt: at };
  return prisma.agent.update({ where: { id: agentId }, data });
});
