/** What stands for a token where documents and files are only looked at. Rendering with it equals masking afterwards. */
export const MASKED_AGENT_TOKEN = 'mca_********';

/** `mca_` for agents, `mco_` for operators, then 256 bits in base64url, or more of the same where it stands in a word. */
const TOKEN = /(mc[ao]_)[\w-]{43,}/g;

/**
 * Hides tokens in a text that is shown to somebody.
 *
 * @param others secrets of other forms to hide as well, such as a gateway's token or an ADMIN_TOKEN.
 */
export function maskTokens(text: string, others: Iterable<string> = []): string {
  const longestFirst = [...others].filter((secret) => secret !== '').sort((a, b) => b.length - a.length);
  const masked = longestFirst.reduce((rest, secret) => rest.replaceAll(secret, '********'), text);
  return masked.replace(TOKEN, '$1********');
}

/**
 * The token in a text that TOOLS.md is in. The server keeps hashes only, so this is how a document is written again with
 * the token that the agent has. The text may be the agent's own: compare the token's hash before using it.
 */
export function agentTokenIn(text: string): string | null {
  return /^MISSION_CONTROL_TOKEN=(mca_[\w-]{43})\s*$/m.exec(text)?.[1] ?? null;
}
