// Makes the Prisma client and the Pothos types when schema.prisma has changed since they were last made (about 2.5 s),
// and does nothing otherwise (a few ms), so that install, start, test and check can all begin with it.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const stamp = path.join(root, 'src', 'generated', 'schema.sha256');
const wanted = createHash('sha256')
  .update(readFileSync(path.join(root, 'prisma', 'schema.prisma')))
  .update(readFileSync(path.join(root, 'package-lock.json')))
  .digest('hex');

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  const cli = findPrisma();
  if (!cli) {
    process.stderr.write(`Prisma's generator is not installed (npm ci --omit=dev): src/generated is left as it is.\n`);
    process.exit(0);
  }
  const bin = path.join(root, 'node_modules', '.bin');
  const result = spawnSync(process.execPath, [cli, 'generate', '--no-hints'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH}` },
  });
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout}${result.stderr}`);
    process.exit(1);
  }
  writeFileSync(stamp, wanted);
}

function findPrisma(): string | null {
  try {
    return path.join(path.dirname(createRequire(import.meta.url).resolve('prisma/package.json')), 'build/index.js');
  } catch {
    return null;
  }
}
