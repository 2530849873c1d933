import { setTimeout as sleep } from 'node:timers/promises';
import { workspaceToken } from '../support/workspace.ts';
import { type Api, RefusedRequest } from './api.ts';
import { WHO_AM_I } from './documents.ts';
import type { ModelAgent } from './fleet-model.ts';

const LOOK_AGAIN_MS = 50;

/**
 * Does something with the token that a workspace holds, again with the next one when it was replaced meanwhile. Null
 * when there is no token.
 * @throws Error when the token is refused and is still the one in the workspace
 */
export async function withWorkspaceToken<T>(
  workspacePath: string,
  use: (token: string) => Promise<T>,
): Promise<T | null> {
  let token = await workspaceToken(workspacePath);
  while (token !== null) {
    try {
      return await use(token);
    } catch (error) {
      if (!(error instanceof RefusedRequest && error.code === 'UNAUTHENTICATED')) throw error;
      const now = await workspaceToken(workspacePath);
      if (now === token) throw new Error(`The token in ${workspacePath} is refused.`, { cause: error });
      token = now;
    }
  }
  return null;
}

/** Uses the agents' tokens over and over until it is aborted. @throws Error when one does not work at any moment */
export async function keepUsingTokens(api: Api, agents: readonly ModelAgent[], signal: AbortSignal): Promise<void> {
  for (let first = 0; !signal.aborted; first++) {
    for (const { workspacePath } of agents) {
      if (signal.aborted) return;
      await withWorkspaceToken(workspacePath, (token) => api.ask(WHO_AM_I, {}, { token, first }));
    }
    await sleep(LOOK_AGAIN_MS);
  }
}
