import type { Command } from 'commander';
import { readConfig } from '../config.ts';
import { MIGRATIONS } from '../db/database.ts';
import { type MigrationStatus, migrate, migrationStatus } from '../db/migrate.ts';
import { withNewSession, withSession } from './database.ts';
import { FAILED, JSON_FLAG, type OutputOptions, print, tableOf } from './output.ts';

export function addMigrate(program: Command): void {
  program
    .command('migrate')
    .summary('bring the database up to this version')
    .description(
      'Applies the migrations that the database lacks, each in a transaction, under a lock. A start does the same, unless MIGRATE=off.',
    )
    .option('--status', 'list applied and pending migrations, and change nothing')
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  mission-control migrate\n  mission-control migrate --status --json')
    .action((options: OutputOptions & { status?: boolean }) => (options.status ? showStatus(options) : apply(options)));
}

async function apply(options: OutputOptions): Promise<void> {
  const applied = await withNewSession(readConfig(process.env), (session) => migrate(session, MIGRATIONS));
  const text = applied.map((name) => `Applied ${name}.`).join('\n') || 'The database has all migrations.';
  print(options, { applied }, text);
}

async function showStatus(options: OutputOptions): Promise<void> {
  const status = await withSession(readConfig(process.env), (session) => migrationStatus(session, MIGRATIONS));
  print(options, status, statusText(status));
  if (status.problem !== null) process.exitCode = FAILED;
}

function statusText({ applied, pending, problem }: MigrationStatus): string {
  const rows = [
    ...applied.map(({ name, at }) => [name, `applied ${at.toISOString()}`]),
    ...pending.map((name) => [name, 'pending']),
  ];
  return [tableOf(['MIGRATION', 'STATE'], rows), ...(problem === null ? [] : [problem])].join('\n');
}
