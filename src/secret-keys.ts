import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import path from 'node:path';
import { type Config, ConfigError } from './config.ts';

const KEY_BYTES = 32;

/** The keys for secrets at rest: those of SECRET_KEY, else the one of the data folder, which is made at the first start. */
export function secretKeysOf(config: Pick<Config, 'secretKeys' | 'dataDir'>): [Buffer, ...Buffer[]] {
  return config.secretKeys ?? [keyOfFolder(config.dataDir)];
}

function keyOfFolder(folder: string): Buffer {
  const file = path.join(folder, 'secret.key');
  const key = readKey(file) ?? makeKey(folder, file);
  if (key.length === KEY_BYTES) return key;
  throw new ConfigError(
    `${file} does not hold ${KEY_BYTES} bytes in base64. Put the key back that was there, or set SECRET_KEY.`,
  );
}

function readKey(file: string): Buffer | null {
  try {
    return Buffer.from(readFileSync(file, 'utf8').trim(), 'base64');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** Written whole under another name first, so that a process killed half way leaves no half key. */
function makeKey(folder: string, file: string): Buffer {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}`;
  const key = randomBytes(KEY_BYTES);
  const descriptor = openSync(draft, 'w', 0o600);
  writeSync(descriptor, `${key.toString('base64')}\n`);
  fsyncSync(descriptor);
  closeSync(descriptor);
  linkSync(draft, file);
  unlinkSync(draft);
  return key;
}
