import type { Command } from 'commander';
import { type Config, readConfig } from '../config.ts';
import { embeddedFolder, syncFiles } from '../db/session.ts';
import { type Rotation, reencrypt } from '../db/stored-secrets.ts';
import { addKeyToFile, dropOldKeysFromFile, keyFileOf, requireKeys, secretKeysOf } from '../secret-keys.ts';
import { withSession } from './database.ts';
import { JSON_FLAG, type OutputOptions, print } from './output.ts';

export function addKeysRotate(keys: Command): void {
  keys
    .command('rotate')
    .summary('encrypt all stored secrets with a new key')
    .description(
      'Encrypts everything that is stored encrypted (gateways’ tokens, this installation’s device key) with the first key. ' +
        'Without SECRET_KEY it makes a new key in DATA_DIR, and drops the old one when nothing needs it any more; stop the server first. ' +
        'With SECRET_KEY=NEW,OLD in the environment, of this command and of every server, servers may run meanwhile; OLD can be dropped afterwards. ' +
        'Killed at any moment, it goes on when it is run again.',
    )
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      '\nExamples:\n  mission-control keys rotate\n  SECRET_KEY="$(openssl rand -base64 32),$SECRET_KEY"  # for all servers, then:\n  mission-control keys rotate',
    )
    .action(rotate);
}

async function rotate(options: OutputOptions): Promise<void> {
  const config = readConfig(process.env);
  const { reencrypted, current } = await (config.secretKeys === null ? rotateFile(config) : rotateSetting(config));
  const where = config.secretKeys === null ? keyFileOf(config.dataDir) : 'SECRET_KEY';
  const dropped =
    config.secretKeys === null
      ? 'The old key is gone; backups that were made before need it.'
      : 'The other keys can be dropped from SECRET_KEY; backups that were made before need them.';
  print(
    options,
    { reencrypted, current, key: where },
    `Encrypted ${reencrypted} secrets anew; ${current} had the first key of ${where} already. ${dropped}`,
  );
}

/** @throws Error when there is only one key, so that there is nothing to rotate to */
function rotateSetting(config: Config): Promise<Rotation> {
  const keys = secretKeysOf(config);
  if (keys.length === 1)
    throw new Error(
      'SECRET_KEY has one key: put a new one before it, separated by a comma (SECRET_KEY="$(openssl rand -base64 32),$SECRET_KEY"), for this command and for every server.',
    );
  return withSession(config, async (session) => {
    await requireKeys(session, config);
    return reencrypt(session, keys);
  });
}

/**
 * The new key is in the file before anything is encrypted with it, and the old one until nothing needs it. A file with two keys
 * is one of a rotation that was broken off: it is gone on with.
 */
function rotateFile(config: Config): Promise<Rotation> {
  const { dataDir } = config;
  return withSession(config, async (session) => {
    await requireKeys(session, config);
    const present = secretKeysOf(config);
    const keys = present.length > 1 ? present : addKeyToFile(dataDir, present);
    const rotation = await reencrypt(session, keys);
    // Once the old key is gone, what the new one has encrypted must be on the disk.
    await session.exec('CHECKPOINT');
    await syncFiles(embeddedFolder(dataDir));
    dropOldKeysFromFile(dataDir, keys);
    return rotation;
  });
}
