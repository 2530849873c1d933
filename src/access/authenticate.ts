import { type Database, Prisma } from '../db/database.ts';
import type { DirectQuery } from '../db/direct-query.ts';
import { gather } from '../gather.ts';
import type { Agent, ApiToken } from '../generated/prisma/client.ts';
import type { Identity, IdentityProvider } from './identity-provider.ts';
import type { TokenUses } from './token-uses.ts';
import { AGENT_TOKEN_PREFIX, hashToken, tokenPrefix } from './tokens.ts';
import type { Viewer } from './viewer.ts';

/** What somebody has signed in with, as far as it is needed to ask again whether it is still good. */
export type Credential =
  | { kind: 'TOKEN'; hash: string; prefix: string; expiresAt: Date | null }
  | { kind: 'JWT'; expiresAt: Date };

export interface SignedIn {
  /** As of the latest look. */
  viewer: Viewer;
  readonly credential: Credential;
}

/** Longer ones are nobody's: no need to hash or to decode them. */
const LONGEST_TOKEN = 8_192;

/** Finds out who has a token. */
export class Authenticator {
  readonly #database: Database;
  readonly #provider: IdentityProvider | null;
  readonly #uses: TokenUses;
  readonly #findOperator: (hash: string) => Promise<ApiToken | null>;
  readonly #findAgent: (hash: string) => Promise<AgentRow | null>;

  /** @param provider whose JWTs are taken as well; null for none */
  constructor(database: Database, provider: IdentityProvider | null, uses: TokenUses) {
    this.#database = database;
    this.#provider = provider;
    this.#uses = uses;
    this.#findOperator = gather((hashes) => findOperators(database.query, hashes));
    this.#findAgent = gather((hashes) => findAgents(database.query, hashes));
  }

  /**
   * Who has this token; null when nobody does, or not any more. One look-up in an index, shared by those who come together.
   * @param hash of the token, for whoever has it already
   */
  async signIn(token: string, hash = hashToken(token)): Promise<SignedIn | null> {
    if (token.length > LONGEST_TOKEN) return null;
    const identity = await this.#provider?.identify(token);
    if (identity) return this.#memberOf(identity);
    return token.startsWith(AGENT_TOKEN_PREFIX) ? this.#agentWith(token, hash) : this.#operatorWith(hash);
  }

  /**
   * Looks again at those who have signed in: for each, how it is now. Not among them: whose credential is gone. One that has
   * expired still is.
   */
  async lookAgain(signedIn: readonly SignedIn[]): Promise<Map<SignedIn, SignedIn>> {
    // One token may have thousands of connections.
    const hashes = (kind: Viewer['kind']) => [
      ...new Set(
        signedIn.flatMap(({ viewer, credential }) =>
          viewer.kind === kind && credential.kind === 'TOKEN' ? [credential.hash] : [],
        ),
      ),
    ];
    const [operators, agents] = await Promise.all([
      found(hashes('OPERATOR'), this.#findOperator),
      found(hashes('AGENT'), this.#findAgent),
    ]);
    // Being connected is a use.
    for (const { id, lastUsedAt } of operators.values()) this.#uses.note(id, lastUsedAt);
    return new Map(
      signedIn.flatMap((one): [SignedIn, SignedIn][] => {
        if (one.credential.kind === 'JWT') return [[one, one]];
        const { hash, prefix } = one.credential;
        const operator = operators.get(hash);
        const agent = agents.get(hash);
        if (operator) return [[one, withOperatorToken(operator)]];
        return agent ? [[one, withAgentToken(agent, hash, prefix)]] : [];
      }),
    );
  }

  async #operatorWith(hash: string): Promise<SignedIn | null> {
    const operator = await this.#findOperator(hash);
    if (!operator || (operator.expiresAt && operator.expiresAt <= new Date())) return null;
    this.#uses.note(operator.id, operator.lastUsedAt);
    return withOperatorToken(operator);
  }

  async #agentWith(token: string, hash: string): Promise<SignedIn | null> {
    const agent = await this.#findAgent(hash);
    return agent ? withAgentToken(agent, hash, tokenPrefix(token)) : null;
  }

  /** An operator of the identity provider, when the organization that it names is here. */
  async #memberOf({ organizationId: id, role, expiresAt, ...actor }: Identity): Promise<SignedIn | null> {
    const organization = await this.#database.prisma.organization.findUnique({ where: { id }, select: { id: true } });
    if (!organization) return null;
    return {
      viewer: {
        kind: 'OPERATOR',
        organizationId: organization.id,
        role,
        tokenId: null,
        actor: { kind: 'OPERATOR', ...actor },
      },
      credential: { kind: 'JWT', expiresAt },
    };
  }
}

function withOperatorToken({ id, name, role, organizationId, tokenHash: hash, prefix, expiresAt }: ApiToken): SignedIn {
  const actor = { kind: 'OPERATOR', id, name, credential: prefix } as const;
  return {
    viewer: { kind: 'OPERATOR', organizationId, role, tokenId: id, actor },
    credential: { kind: 'TOKEN', hash, prefix, expiresAt },
  };
}

type AgentRow = Pick<Agent, 'id' | 'name' | 'kind' | 'organizationId' | 'boardId' | 'gatewayId'>;
type AgentWithHashes = AgentRow & Pick<Agent, 'tokenHash' | 'previousTokenHash'>;

function withAgentToken(agent: AgentRow, hash: string, prefix: string): SignedIn {
  const { id: agentId, name, kind: agentKind, organizationId, boardId, gatewayId } = agent;
  const actor = { kind: 'AGENT', id: agentId, name, credential: prefix } as const;
  return {
    viewer: { kind: 'AGENT', organizationId, agentId, agentKind, boardId, gatewayId, actor },
    credential: { kind: 'TOKEN', hash, prefix, expiresAt: null },
  };
}

async function found<Row>(hashes: string[], find: (hash: string) => Promise<Row | null>): Promise<Map<string, Row>> {
  const rows = await Promise.all(hashes.map(async (hash) => [hash, await find(hash)] as const));
  return new Map(rows.flatMap(([hash, row]) => (row === null ? [] : [[hash, row]])));
}

/** The operator tokens with these hashes, by hash. */
async function findOperators(query: DirectQuery, hashes: readonly string[]): Promise<Map<string, ApiToken>> {
  if (hashes.length === 0) return new Map();
  const rows = await query<ApiToken>(Prisma.sql`SELECT * FROM "ApiToken" WHERE "tokenHash" = ANY(${hashes}::text[])`);
  return new Map(rows.map((row) => [row.tokenHash, row]));
}

/** The agents whose tokens have these hashes, by hash. Those on their way out have none any more. */
async function findAgents(query: DirectQuery, hashes: readonly string[]): Promise<Map<string, AgentRow>> {
  if (hashes.length === 0) return new Map();
  // One statement for however many, which is kept prepared.
  const agents = await query<AgentWithHashes>(Prisma.sql`
    SELECT id, name, "organizationId", kind, "boardId", "gatewayId", "tokenHash", "previousTokenHash" FROM "Agent"
    WHERE ("tokenHash" = ANY(${hashes}::text[]) OR "previousTokenHash" = ANY(${hashes}::text[]))
      AND "deletionRequestedAt" IS NULL`);
  return new Map(
    agents.flatMap((agent) =>
      [agent.tokenHash, agent.previousTokenHash].flatMap((hash) => (hash === null ? [] : [[hash, agent] as const])),
    ),
  );
}

/**
 * The token of a request: `Authorization: Bearer …` or `X-Agent-Token: …`, and for a WebSocket the same in
 * connectionParams (`Authorization`, `agentToken`). Null when there is none.
 */
export function tokenOf(credentials: { authorization?: unknown; agentToken?: unknown }): string | null {
  const { authorization, agentToken } = credentials;
  if (typeof agentToken === 'string' && agentToken !== '') return agentToken;
  if (typeof authorization !== 'string') return null;
  return /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? null;
}
