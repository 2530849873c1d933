import { type Command, InvalidArgumentError, Option } from 'commander';
import { createApiToken } from '../fleet/api-tokens.ts';
import { JSON_FLAG, type OutputOptions, print } from './output.ts';
import { withTokenDatabase } from './token-database.ts';

interface CreateOptions extends OutputOptions {
  name: string;
  role: string;
  expires?: Date;
  organization?: string;
}

export function addTokenCreate(token: Command): void {
  token
    .command('create')
    .summary('make an operator token, and show its secret once')
    .description(
      'Makes an operator token straight in the database, also when nobody can sign in any more. Its secret is shown once.',
    )
    .option('--name <name>', 'whom or what it is for', 'Command line')
    .addOption(
      new Option('--role <role>', 'what it allows').choices(['OWNER', 'ADMIN', 'MEMBER', 'VIEWER']).default('OWNER'),
    )
    .option('--expires <when>', 'when it stops working: a date, or a time from now such as 12h or 30d', expiryOf)
    .option('--organization <name>', 'name or id of the organization (default: the first one)')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      '\nExamples:\n  mission-control token create\n  mission-control token create --name CI --role MEMBER --expires 30d\n  mission-control token create --expires 2027-01-31 --organization Acme --json',
    )
    .action(create);
}

async function create(options: CreateOptions): Promise<void> {
  const { name, role, expires: expiresAt } = options;
  await withTokenDatabase(options.organization, async ({ database, viewer, organization }) => {
    const { token, secret } = await createApiToken({ database }, viewer, { name, role, expiresAt });
    const ends = token.expiresAt === null ? '' : `, until ${token.expiresAt.toISOString()}`;
    const value = { id: token.id, name, role, expiresAt: token.expiresAt, organization: organization.name, secret };
    print(
      options,
      value,
      `The token "${token.name}" of ${organization.name}, with the role ${role}${ends}. It is shown this once:\n\n${secret}`,
    );
  });
}

const HOUR_MS = 3_600_000;

function expiryOf(text: string): Date {
  const [, amount, unit] = /^(\d{1,5})([hd])$/.exec(text) ?? [];
  const at = amount ? new Date(Date.now() + Number(amount) * (unit === 'd' ? 24 : 1) * HOUR_MS) : new Date(text);
  if (Number.isNaN(at.getTime()) || at <= new Date())
    throw new InvalidArgumentError(
      'Give a date in the future such as 2027-01-31, or a time from now such as 12h or 30d.',
    );
  return at;
}
