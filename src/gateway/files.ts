import { z } from 'zod';
import { isNotFound } from './errors.ts';
import { ask, type GatewayRequests, type RequestOptions } from './requests.ts';

/** One of the files that the gateway lets write: AGENTS, SOUL, IDENTITY, USER, MEMORY and BOOTSTRAP.md on OpenClaw 2026.9.6. */
export interface AgentFile {
  /** Null when the file does not exist. */
  content: string | null;
  /** SHA-256 in hex; null when the file does not exist or the gateway tells none. */
  hash: string | null;
  missing: boolean;
}

export interface SetFileInput {
  agentId: string;
  name: string;
  content: string;
  /** Write only over this content. Without it, over whatever is there. */
  expectedHash?: string;
}

export interface FileSummary {
  name: string;
  missing: boolean;
  /** Bytes; null when missing. */
  size: number | null;
  updatedAt: Date | null;
}

const file = z.looseObject({
  name: z.string(),
  missing: z.boolean(),
  size: z.number().nullish(),
  updatedAtMs: z.number().nullish(),
  hash: z.string().nullish(),
  content: z.string().nullish(),
});
const oneFile = z.looseObject({ file });
const fileList = z.looseObject({ files: z.array(file) });

/**
 * Writes a file of an agent's workspace; 5 ms (measured on OpenClaw 2026.9.6). Returns the hash of what was written. Throws a
 * `GatewayError`: `isUnsupportedFile` for a name that the gateway does not take, `isFileConflict` for another hash than expected,
 * `isNotFound` for an agent that it does not have.
 */
export async function setFile(gateway: GatewayRequests, input: SetFileInput): Promise<{ hash: string | null }> {
  const answer = await ask(gateway, 'agents.files.set', input, oneFile);
  return { hash: answer.file.hash ?? null };
}

/** Reads a file of an agent's workspace. Throws like `setFile`; a missing file is no error. */
export async function getFile(
  gateway: GatewayRequests,
  input: { agentId: string; name: string },
  options?: RequestOptions,
): Promise<AgentFile> {
  const answer = await ask(gateway, 'agents.files.get', input, oneFile, options);
  const { missing, content, hash } = answer.file;
  return missing
    ? { content: null, hash: null, missing: true }
    : { content: content ?? '', hash: hash ?? null, missing: false };
}

/** The files of an agent that the gateway lists. IDENTITY.md is not among them, though it can be read and written. */
export async function listFiles(
  gateway: GatewayRequests,
  agentId: string,
  options?: RequestOptions,
): Promise<FileSummary[]> {
  const { files } = await ask(gateway, 'agents.files.list', { agentId }, fileList, options);
  return files.map(({ name, missing, size, updatedAtMs }) => ({
    name,
    missing,
    size: size ?? null,
    updatedAt: typeof updatedAtMs === 'number' ? new Date(updatedAtMs) : null,
  }));
}

export interface WorkspaceFileContent {
  content: string;
  /** Bytes. */
  size: number;
  updatedAt: Date;
}

const workspaceFile = z.looseObject({
  file: z.looseObject({
    size: z.number(),
    updatedAtMs: z.number(),
    encoding: z.enum(['utf8', 'base64']),
    content: z.string(),
  }),
});

/** Reads any text file of an agent's workspace by its path; null when there is none. Throws a `GatewayError`. */
export async function readWorkspaceFile(
  gateway: GatewayRequests,
  input: { agentId: string; path: string },
  options?: RequestOptions,
): Promise<WorkspaceFileContent | null> {
  try {
    const { file } = await ask(gateway, 'agents.workspace.get', input, workspaceFile, options);
    const content = file.encoding === 'base64' ? Buffer.from(file.content, 'base64').toString('utf8') : file.content;
    return { content, size: file.size, updatedAt: new Date(file.updatedAtMs) };
  } catch (error) {
    // An agent without a workspace folder yet has no files either, but an unknown agent is an error.
    if (isNotFound(error) && /file not found/i.test(error.message)) return null;
    throw error;
  }
}
