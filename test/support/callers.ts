import { AGENT_TOKEN_PREFIX, hashToken, newToken, OPERATOR_TOKEN_PREFIX } from '../../src/access/tokens.ts';
import type { Role } from '../../src/generated/prisma/client.ts';
import type { Client } from './client.ts';
import type { MissionControl } from './mission-control.ts';

// Callers with rights of every kind, made in the database: quicker than to provision an agent for its token.

/** A new operator token of the first organization, or of another one. */
export async function operatorToken(
  mc: MissionControl,
  role: Role,
  { organizationId, expiresAt }: { organizationId?: string; expiresAt?: Date } = {},
): Promise<string> {
  const token = newToken(OPERATOR_TOKEN_PREFIX);
  const first = await mc.prisma.organization.findFirstOrThrow({ where: { isFirst: true } });
  await mc.prisma.apiToken.create({
    data: {
      organizationId: organizationId ?? first.id,
      name: `Test ${role}`,
      role,
      prefix: token.slice(0, 8),
      tokenHash: hashToken(token),
      expiresAt: expiresAt ?? null,
    },
  });
  return token;
}

export async function asOperator(mc: MissionControl, role: Role): Promise<Client> {
  return mc.as(await operatorToken(mc, role));
}

/** The owner of another organization, which is new and empty. */
export async function asStranger(mc: MissionControl): Promise<Client> {
  const { id } = await mc.prisma.organization.create({ data: { name: 'Strangers' } });
  return mc.as(await operatorToken(mc, 'OWNER', { organizationId: id }));
}

/** A token for an agent. Provisioning must not give it another one: use it with an unreachable gateway, or afterwards. */
export async function agentToken(mc: MissionControl, id: string): Promise<string> {
  const token = newToken(AGENT_TOKEN_PREFIX);
  await mc.prisma.agent.update({ where: { id }, data: { tokenHash: hashToken(token) } });
  return token;
}

export async function asAgent(mc: MissionControl, id: string): Promise<Client> {
  return mc.as(await agentToken(mc, id));
}

/** A gateway that never answers: its agents are stored and wait to be provisioned. */
export const UNREACHABLE = { url: 'ws://127.0.0.1:1', token: 'no-such-gateway', stateDir: '/srv/agents' };
