import type { Command } from 'commander';
import { readConfig, usingSetting } from '../config.ts';
import { restore } from '../db/backup.ts';
import { requireKeys } from '../secret-keys.ts';
import { JSON_FLAG, type OutputOptions, print } from './output.ts';

interface RestoreOptions extends OutputOptions {
  force?: boolean;
}

export function addRestore(program: Command): void {
  program
    .command('restore')
    .summary('put a backup into the data folder')
    .description(
      'Puts the database of a backup into the data folder. Stop the server first, and put the secret key that the backup was made with in place (secret.key in DATA_DIR, or SECRET_KEY): without it nothing is restored.',
    )
    .argument('<file>', 'a file that backup has made')
    .option('--force', 'replace the database that is there')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      '\nExamples:\n  mission-control restore mission-control.tar.gz\n  DATA_DIR=/tmp/look mission-control restore mission-control.tar.gz',
    )
    .action(readBackup);
}

async function readBackup(file: string, options: RestoreOptions): Promise<void> {
  const config = readConfig(process.env);
  if (config.databaseUrl !== null)
    throw new Error('This restores the embedded database, and DATABASE_URL is set: use pg_restore for PostgreSQL.');
  const { dataDir } = config;
  const { pending } = await usingSetting('DATA_DIR', () =>
    restore(dataDir, file, options.force ?? false, (session) => requireKeys(session, config)),
  );
  const later = pending.length === 0 ? '' : ` It lacks ${pending.length} migrations, which the next start applies.`;
  print(options, { dataDir, file, pending }, `Restored ${file} into ${dataDir}.${later}`);
}
