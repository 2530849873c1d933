import type { Command } from 'commander';
import { revokeApiToken } from '../fleet/api-tokens.ts';
import { JSON_FLAG, type OutputOptions, print } from './output.ts';
import { withTokenDatabase } from './token-database.ts';

export function addTokenRevoke(token: Command): void {
  token
    .command('revoke')
    .summary('revoke an operator token')
    .description(
      'Revokes an operator token: it lets nobody in any more. The last OWNER token that does not expire stays; make another one first.',
    )
    .argument('<id>', 'its id, as token list shows it')
    .option('--organization <name>', 'name or id of the organization (default: the first one)')
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  mission-control token revoke 01a202fc-6f9f-7729-b922-3bca6cdad021')
    .action(revoke);
}

async function revoke(id: string, options: OutputOptions & { organization?: string }): Promise<void> {
  await withTokenDatabase(options.organization, async ({ database, viewer }) => {
    const revoked = await revokeApiToken({ database }, viewer, id);
    print(options, { revoked: revoked.id }, 'Revoked.');
  });
}
