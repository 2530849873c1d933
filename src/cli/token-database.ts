import { userInfo } from 'node:os';
import type { OperatorViewer } from '../access/viewer.ts';
import { readConfig, usingSetting } from '../config.ts';
import { type Database, openDatabase } from '../db/database.ts';
import type { Organization } from '../generated/prisma/client.ts';
import { requireKeys } from '../secret-keys.ts';
import { databaseSetting, requireDatabase } from './database.ts';

/** What the commands for tokens work with: the database itself, and whoever can read it as an owner. */
export interface TokenDatabase {
  database: Database;
  viewer: OperatorViewer;
  organization: Organization;
}

/**
 * Opens the database of the settings, works with it and closes it.
 * @param wanted name or id of an organization; undefined: the installation's first
 */
export async function withTokenDatabase<T>(
  wanted: string | undefined,
  work: (tokens: TokenDatabase) => Promise<T>,
): Promise<T> {
  const config = readConfig(process.env);
  requireDatabase(config);
  const database = await usingSetting(databaseSetting(config), () =>
    openDatabase({ ...config, migrate: false, inspect: (session) => requireKeys(session, config) }),
  );
  try {
    const organization = await findOrganization(database, wanted);
    return await work({ database, organization, viewer: ownerOf(organization) });
  } finally {
    await database.close();
  }
}

async function findOrganization({ prisma }: Database, wanted: string | undefined): Promise<Organization> {
  const all = await prisma.organization.findMany({ orderBy: { id: 'asc' } });
  const found = all.filter(({ id, name, isFirst }) =>
    wanted === undefined ? isFirst : id === wanted || name === wanted,
  );
  const [organization, another] = found;
  if (organization && !another) return organization;
  if (another) throw new Error(`Several organizations have the name ${wanted}: give the id, one of ${idsOf(found)}.`);
  if (all.length === 0)
    throw new Error('There is no organization yet. Start the server once: it makes one, and a token.');
  throw new Error(`There is no organization ${wanted}. There are: ${all.map(({ name }) => name).join(', ')}.`);
}

const idsOf = (organizations: Organization[]) => organizations.map(({ id }) => id).join(', ');

/** Who has the database can do everything; what is done is kept under the name of the machine's user. */
function ownerOf({ id }: Organization): OperatorViewer {
  const { username } = userInfo();
  const actor = { kind: 'OPERATOR', id: username, name: `${username} (command line)`, credential: '' } as const;
  return { kind: 'OPERATOR', organizationId: id, role: 'OWNER', tokenId: null, actor };
}
