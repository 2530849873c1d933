import path from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { graphql } from '../../src/generated/client/gql.ts';
import type { Simulator } from '../../src/simulator/simulator.ts';
import { eventually } from './eventually.ts';
import { addGateway } from './fleet.ts';
import { preparedFolder, ServerProcess, startProcess } from './server-process.ts';

/** What there is, for whoever asks. */
export const Installed = graphql(`
  query Installed {
    server { version }
    viewer { role }
    gateways { nodes { name connection { state } } }
  }
`);

/** The data folder of a server that has connected to a gateway, and was stopped. */
export async function stoppedInstallation(gateway: Simulator): Promise<string> {
  const folder = await preparedFolder();
  const { server, owner } = await startProcess(folder);
  await addGateway(owner, gateway);
  await eventually(
    () => owner.run(Installed),
    ({ gateways }) => gateways.nodes[0]?.connection.state === 'CONNECTED',
  );
  await server.stop();
  return folder;
}

/** Works on the embedded database of a data folder itself. */
export async function onDatabase<T>(dataDir: string, work: (database: PGlite) => Promise<T>): Promise<T> {
  const database = await PGlite.create({ dataDir: path.join(dataDir, 'pglite') });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** How a start that is refused has ended. */
export async function refusedStart(settings: Record<string, string>) {
  const server = new ServerProcess(settings);
  const { code } = await server.exited;
  return { code, stdout: server.stdout, stderr: server.stderr };
}
