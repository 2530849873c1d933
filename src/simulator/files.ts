import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TEMPLATES } from './agents.ts';
import type { Gateway } from './gateway.ts';
import { checkParams, text } from './params.ts';
import { type Dict, invalid } from './wire.ts';

/** The only files that can be written: TOOLS.md and HEARTBEAT.md are gone since protocol 4. */
const WRITABLE = ['AGENTS.md', 'SOUL.md', 'IDENTITY.md', 'USER.md', 'MEMORY.md', 'BOOTSTRAP.md'];
/** IDENTITY.md can be read and written, yet is not listed. */
const LISTED = ['AGENTS.md', 'SOUL.md', 'USER.md', 'BOOTSTRAP.md', 'MEMORY.md'];
const MAY_BE_ABSENT = new Set(['SOUL.md', 'USER.md', 'MEMORY.md', 'IDENTITY.md']);

export async function listFiles(gateway: Gateway, params: Dict): Promise<Dict> {
  checkParams('agents.files.list', params, { required: ['agentId'] });
  const agentId = text('agents.files.list', params, 'agentId');
  gateway.agents.require(agentId);
  const workspace = gateway.agents.workspace(agentId);
  return { agentId, workspace, files: await Promise.all(LISTED.map((name) => describe(workspace, name))) };
}

export async function getFile(gateway: Gateway, params: Dict): Promise<Dict> {
  checkParams('agents.files.get', params, { required: ['agentId', 'name'] });
  const { agentId, name, workspace } = locate(gateway, 'agents.files.get', params);
  const file = await describe(workspace, name);
  if (file.missing) return { agentId, workspace, file };
  const content = await readFile(join(workspace, name), 'utf8');
  return { agentId, workspace, file: { ...file, hash: sha256(content), content } };
}

export async function setFile(gateway: Gateway, params: Dict): Promise<Dict> {
  checkParams('agents.files.set', params, { required: ['agentId', 'name', 'content'], optional: ['expectedHash'] });
  const content = text('agents.files.set', params, 'content');
  const { agentId, name, workspace } = locate(gateway, 'agents.files.set', params);
  const path = join(workspace, name);
  if (params.expectedHash !== undefined) {
    const expected = text('agents.files.set', params, 'expectedHash');
    if (!/^[a-fA-F0-9]{64}$/.test(expected)) {
      throw invalid(
        'invalid agents.files.set params: at /expectedHash: must not have fewer than 64 characters; at /expectedHash: must match pattern "^[a-fA-F0-9]{64}$"',
      );
    }
    const current = existsSync(path) ? sha256(await readFile(path, 'utf8')) : undefined;
    if (current !== expected.toLowerCase()) {
      throw invalid(`agent file "${name}" changed since it was read`, {
        type: 'agent_file_conflict',
        name,
        ...(current ? { currentHash: current } : {}),
      });
    }
  }
  await mkdir(workspace, { recursive: true });
  // Whoever reads it meanwhile finds the one before, whole.
  const beside = join(workspace, `.${name}.${randomUUID()}.tmp`);
  await writeFile(beside, content);
  await rename(beside, path);
  const file = { ...(await describe(workspace, name)), hash: sha256(content), content };
  return { ok: true, agentId, workspace, file };
}

/** At the first turn the gateway removes BOOTSTRAP.md, unread, from a workspace that somebody customised. */
export function dropBootstrap(workspace: string): void {
  const customised = ['SOUL.md', 'IDENTITY.md', 'USER.md'].some((name) => {
    const path = join(workspace, name);
    return existsSync(path) && readFileSync(path, 'utf8') !== TEMPLATES[name];
  });
  if (customised) rmSync(join(workspace, 'BOOTSTRAP.md'), { force: true });
}

function locate(gateway: Gateway, method: string, params: Dict) {
  const agentId = text(method, params, 'agentId');
  const name = text(method, params, 'name');
  gateway.agents.require(agentId);
  if (!WRITABLE.includes(name)) throw invalid(`unsupported file "${name}"`);
  return { agentId, name, workspace: gateway.agents.workspace(agentId) };
}

async function describe(workspace: string, name: string): Promise<Dict> {
  const path = join(workspace, name);
  const found = await stat(path).catch(() => undefined);
  if (!found) return { name, path, missing: true, expectedAbsent: MAY_BE_ABSENT.has(name) };
  return { name, path, missing: false, size: found.size, updatedAtMs: Math.floor(found.mtimeMs) };
}

function sha256(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}
