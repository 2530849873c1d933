import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { type Config, ConfigError } from './config.ts';
import type { SqlSession } from './db/migrate.ts';
import { keyId, type SecretKeys } from './db/secrets.ts';
import { keysInUse } from './db/stored-secrets.ts';

// The keys for secrets at rest: those of SECRET_KEY, else those of the data folder's file, one a line. The first encrypts, all
// decrypt. The file has more than one only while a rotation is under way.

type KeySettings = Pick<Config, 'secretKeys' | 'dataDir'>;

const KEY_BYTES = 32;

/** Where the keys are when SECRET_KEY is not set. */
export function keyFileOf(dataDir: string): string {
  return path.join(dataDir, 'secret.key');
}

/** The keys; the file is made when neither it nor SECRET_KEY is there. @throws ConfigError */
export function secretKeysOf(config: KeySettings): SecretKeys {
  return knownKeysOf(config) ?? makeKeyFile(config.dataDir);
}

/** The keys; null when neither SECRET_KEY nor the file is there. Makes nothing. @throws ConfigError */
export function knownKeysOf({ secretKeys, dataDir }: KeySettings): SecretKeys | null {
  return secretKeys ?? readKeyFile(keyFileOf(dataDir));
}

/**
 * Makes sure, before anything is changed, that everything stored can be decrypted.
 * @throws ConfigError that says which key is missing, and where
 */
export async function requireKeys(session: SqlSession, config: KeySettings): Promise<void> {
  const used = await keysInUse(session);
  if (used.length === 0) return;
  const keys = knownKeysOf(config);
  const where = config.secretKeys ? 'SECRET_KEY' : keyFileOf(config.dataDir);
  if (keys === null)
    throw new ConfigError(
      `${where} is missing, and secrets in the database are encrypted with it. Put it back, or set SECRET_KEY to its key; nothing was changed.`,
    );
  const known = new Set(keys.map(keyId));
  const missing = used.filter((id) => !known.has(id));
  if (missing.length > 0)
    throw new ConfigError(
      `${where} does not have the key ${missing.join(', ')}, with which secrets in the database are encrypted. Start with the key that was there before; nothing was changed.`,
    );
}

/** Puts a new key before that of the file. @returns both */
export function addKeyToFile(dataDir: string, keys: SecretKeys): SecretKeys {
  const next: SecretKeys = [randomBytes(KEY_BYTES), ...keys];
  writeKeyFile(dataDir, next, renameSync);
  return next;
}

/** Leaves only the first key in the file. */
export function dropOldKeysFromFile(dataDir: string, [first]: SecretKeys): void {
  writeKeyFile(dataDir, [first], renameSync);
}

function readKeyFile(file: string): SecretKeys | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  const [first, ...others] = text
    .trim()
    .split('\n')
    .map((line) => Buffer.from(line.trim(), 'base64'));
  if (first && [first, ...others].every((key) => key.length === KEY_BYTES)) return [first, ...others];
  throw new ConfigError(
    `${file} does not hold ${KEY_BYTES} bytes in base64. Put the key back that was there, or set SECRET_KEY.`,
  );
}

function makeKeyFile(dataDir: string): SecretKeys {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const keys: SecretKeys = [randomBytes(KEY_BYTES)];
  // One that another process has made in the meantime must not be lost.
  writeKeyFile(dataDir, keys, (draft, file) => {
    linkSync(draft, file);
    unlinkSync(draft);
  });
  return keys;
}

/** Written whole under another name first, so that a process killed half way leaves the file as it was. */
function writeKeyFile(dataDir: string, keys: SecretKeys, putInPlace: (draft: string, file: string) => void): void {
  const file = keyFileOf(dataDir);
  const draft = `${file}.${process.pid}`;
  const descriptor = openSync(draft, 'w', 0o600);
  writeSync(descriptor, keys.map((key) => `${key.toString('base64')}\n`).join(''));
  fsyncSync(descriptor);
  closeSync(descriptor);
  putInPlace(draft, file);
  syncFolder(dataDir);
}

/** Else a power failure may undo a renaming, after what was done in trust of it. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(folder, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
