import { z } from 'zod';
import { ask, type GatewayRequests, type RequestOptions } from './requests.ts';

export interface EffectiveTools {
  /** The gateway's tool profile, for example `full`. */
  profile: string | null;
  /** Names of the tools that the agent may use in this session, for example `exec`. */
  tools: string[];
}

// As in OpenClaw's protocol schema.
const effective = z.looseObject({
  profile: z.string().nullish(),
  groups: z.array(
    z.looseObject({
      tools: z.array(z.looseObject({ id: z.string(), deniedBySession: z.boolean().nullish() })),
    }),
  ),
});

/** The tools that an agent has in one of its sessions. The session must exist. Throws a `GatewayError`. */
export async function effectiveTools(
  gateway: GatewayRequests,
  sessionKey: string,
  options?: RequestOptions,
): Promise<EffectiveTools> {
  const { profile, groups } = await ask(gateway, 'tools.effective', { sessionKey }, effective, options);
  const tools = groups.flatMap((group) => group.tools).filter((tool) => tool.deniedBySession !== true);
  return { profile: profile ?? null, tools: [...new Set(tools.map((tool) => tool.id))] };
}
