import { describe, expect, test } from 'vitest';
import { sessionKeyOf } from '../../src/gateway/session-key.ts';
import { type AgentKind, isMadeHere, openclawAgentIdOf, workspacePathOf } from '../../src/provisioning/identity.ts';

const place = (kind: AgentKind) => ({
  kind,
  agentId: 'a1',
  boardId: kind === 'GATEWAY_MAIN' ? null : 'b1',
  gatewayId: 'g1',
});

describe("an agent's place on its gateway", () => {
  test.each([
    ['BOARD_WORKER', 'mc-a1', 'agent:mc-a1:main', '/srv/oc/workspace-mc-a1'],
    ['BOARD_LEAD', 'lead-b1', 'agent:lead-b1:main', '/srv/oc/workspace-lead-b1'],
    ['GATEWAY_MAIN', 'mc-gateway-g1', 'agent:mc-gateway-g1:main', '/srv/oc/workspace-gateway-g1'],
  ] as const)('%s: %s, %s, %s', (kind, id, sessionKey, workspace) => {
    expect(openclawAgentIdOf(place(kind))).toBe(id);
    expect(sessionKeyOf(id)).toBe(sessionKey);
    expect(workspacePathOf('/srv/oc', place(kind))).toBe(workspace);
  });

  test.each([
    ['/srv/oc/', '/srv/oc/workspace-mc-a1'],
    ['/srv/oc///', '/srv/oc/workspace-mc-a1'],
    ['/', '/workspace-mc-a1'],
    ['~/.openclaw', '~/.openclaw/workspace-mc-a1'],
    ['~', '~/workspace-mc-a1'],
  ])('under the root %s the workspace is %s', (root, workspace) => {
    expect(workspacePathOf(root, place('BOARD_WORKER'))).toBe(workspace);
  });

  const uuid = '01a202fc-6f9f-7729-b922-3bca6cdad021';
  test.each([
    [openclawAgentIdOf({ kind: 'BOARD_WORKER', agentId: uuid, boardId: 'b1', gatewayId: 'g1' }), true],
    [openclawAgentIdOf({ kind: 'BOARD_LEAD', agentId: 'a1', boardId: uuid, gatewayId: 'g1' }), true],
    [openclawAgentIdOf({ kind: 'GATEWAY_MAIN', agentId: 'a1', boardId: null, gatewayId: uuid }), true],
    ['main', false],
    ['lead-dev', false],
    ['mc-hammer', false],
    [`my-mc-${uuid}`, false],
  ])('of %s it is %s that it was given here', (id, isOurs) => {
    expect(isMadeHere(id)).toBe(isOurs);
  });

  test('a lead without a board is a mistake of the caller', () => {
    expect(() => openclawAgentIdOf({ ...place('BOARD_LEAD'), boardId: null })).toThrow('Agent a1 leads no board.');
  });
});
