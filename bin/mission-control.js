#!/usr/bin/env node
// Runs src/cli/main.ts with a Node.js that can: npx and npm put the project's own first, and a shell may have an older one.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const OLDEST_MAJOR = 24;
const main = new URL('../src/cli/main.ts', import.meta.url);

const node = fileURLToPath(
  new URL(`../node_modules/.bin/node${process.platform === 'win32' ? '.cmd' : ''}`, import.meta.url),
);

if (!existsSync(new URL('../src/generated/prisma', import.meta.url)))
  refuse('Mission Control is not installed yet: run npm ci in its folder.');
else if (Number.parseInt(process.versions.node, 10) >= OLDEST_MAJOR) await import(main.href);
else if (existsSync(node)) runWith(node);
else refuse(`Mission Control needs Node.js ${OLDEST_MAJOR} or later, and this is ${process.version}.`);

/** @param {string} reason */
function refuse(reason) {
  process.stderr.write(`${reason}\n`);
  process.exitCode = 1;
}

/** @param {string} node */
function runWith(node) {
  const child = spawn(node, [fileURLToPath(main), ...process.argv.slice(2)], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'])
    process.on(signal, () => {
      // A terminal has sent its ctrl-C to both.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
