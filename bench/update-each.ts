import { readConfig } from '../src/config.ts';
import { Heartbeats } from '../src/fleet/heartbeats.ts';
import { createLog } from '../src/log.ts';
import { startServer } from '../src/server.ts';

// The same server, but each heartbeat is written by itself, at once, and nothing else is: no task, no event, nobody is told.

const config = readConfig(process.env);
const server = await startServer(config, createLog(config.logLevel));
const { database } = server.fleet;

class UpdateEach extends Heartbeats {
  override report({ agentId, status }: Parameters<Heartbeats['report']>[0]): ReturnType<Heartbeats['report']> {
    const at = new Date();
    const data = { status, liveness: 'ONLINE' as const, lastHeartbeatAt: at, lastSeenAt: at };
    return database.prisma.agent.update({ where: { id: agentId }, data });
  }
}

server.fleet.heartbeats = new UpdateEach(database);
process.on('SIGTERM', () => server.stop().then(() => process.exit(0)));
process.stdout.write(`{"msg":"listening","url":"${server.url}"}\n`);
