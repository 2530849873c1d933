import type { Agent } from '../generated/prisma/client.ts';
import { documentHash } from './delivery.ts';
import type { RenderedDocument } from './documents.ts';

/** Per document, the hash of what was last written, made with the token masked. */
export function documentHashesOf(agent: Pick<Agent, 'documentHashes'>): Record<string, string> {
  // Only provisioning writes this column, in this form.
  return agent.documentHashes as Record<string, string>;
}

/** Hashes of these documents as they are stored: the token does not count, so that a new one alone is no change. */
export function hashesOf(documents: readonly RenderedDocument[]): Record<string, string> {
  return Object.fromEntries(documents.map(({ name, content }) => [name, documentHash(content)]));
}
