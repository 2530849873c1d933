import type { Command } from 'commander';
import { listApiTokens } from '../fleet/api-tokens.ts';
import { JSON_FLAG, type OutputOptions, print, tableOf } from './output.ts';
import { withTokenDatabase } from './token-database.ts';

export function addTokenList(token: Command): void {
  token
    .command('list')
    .summary('list operator tokens, without their secrets')
    .description('Lists the operator tokens of an organization, oldest first. Their secrets are kept nowhere.')
    .option('--organization <name>', 'name or id of the organization (default: the first one)')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      '\nExamples:\n  mission-control token list\n  mission-control token list --organization Acme --json',
    )
    .action(list);
}

async function list(options: OutputOptions & { organization?: string }): Promise<void> {
  await withTokenDatabase(options.organization, async ({ database, viewer }) => {
    const tokens = (await listApiTokens({ database }, viewer)).map(
      ({ id, name, role, prefix, createdAt, lastUsedAt, expiresAt }) =>
        ({ id, name, role, prefix, createdAt, lastUsedAt, expiresAt }) as const,
    );
    const rows = tokens.map(({ id, name, role, prefix, lastUsedAt, expiresAt }) => [
      id,
      role,
      `${prefix}…`,
      lastUsedAt?.toISOString() ?? 'never',
      expiresAt?.toISOString() ?? 'never',
      name,
    ]);
    print(options, { tokens }, tableOf(['ID', 'ROLE', 'TOKEN', 'LAST USED', 'EXPIRES', 'NAME'], rows));
  });
}
