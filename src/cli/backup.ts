import type { Command } from 'commander';
import { readConfig } from '../config.ts';
import { backUp } from '../db/backup.ts';
import { keyFileOf } from '../secret-keys.ts';
import { withSession } from './database.ts';
import { JSON_FLAG, type OutputOptions, print } from './output.ts';

export function addBackup(program: Command): void {
  program
    .command('backup')
    .summary('write the embedded database to a file')
    .description(
      'Writes the embedded database to a file that only you can read. Stop the server first. The secret key is not in it: keep a copy of that elsewhere, as without it the gateways’ tokens in the backup are lost. For PostgreSQL use pg_dump.',
    )
    .argument('<file>', 'the file to make, for example mission-control.tar.gz')
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  mission-control backup "mission-control-$(date +%F).tar.gz"')
    .action(writeBackup);
}

async function writeBackup(file: string, options: OutputOptions): Promise<void> {
  const config = readConfig(process.env);
  const bytes = await withSession(config, (session) => backUp(session, file));
  const key = config.secretKeys === null ? keyFileOf(config.dataDir) : 'SECRET_KEY';
  print(
    options,
    { file, bytes, key },
    `Wrote ${file} (${bytes} bytes). The key of its secrets is not in it: keep a copy of ${key} in another place.`,
  );
}
