import { fileURLToPath } from 'node:url';
import type { AgentKind } from '../../src/provisioning/identity.ts';
import { readTemplates } from '../../src/provisioning/template-folder.ts';
import type { DocumentInput, IdentityProfile } from '../../src/provisioning/variables.ts';

/** The templates that the product comes with. */
export const builtInTemplates = readTemplates(fileURLToPath(new URL('../../templates', import.meta.url)));

export const SAMPLE_TOKEN = `mca_${'Ab1-_'.repeat(8)}xyz`;

/** An agent to render documents for, without a database. */
export function documentInput(
  kind: AgentKind,
  change: {
    agent?: Partial<DocumentInput['agent']>;
    board?: Partial<DocumentInput['board'] & object>;
    profile?: IdentityProfile;
    authToken?: string;
    roleSoul?: DocumentInput['roleSoul'];
  } = {},
): DocumentInput {
  const board = { id: 'b0a7d', name: 'Docs', boardType: 'goal', objective: 'Describe everything', ...change.board };
  return {
    agent: {
      id: 'a9e47',
      kind,
      name: 'Fox',
      sessionKey: 'agent:mc-a9e47:main',
      workspacePath: '~/.openclaw/workspace-mc-a9e47',
      identityProfile: change.profile ?? {},
      identityTemplate: null,
      soulTemplate: null,
      ...change.agent,
    },
    board: kind === 'GATEWAY_MAIN' ? null : board,
    roleSoul: change.roleSoul ?? null,
    baseUrl: 'http://localhost:8000',
    authToken: change.authToken ?? SAMPLE_TOKEN,
  };
}
