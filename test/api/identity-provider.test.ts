import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UNREACHABLE } from '../support/callers.ts';
import { AgentEvents, CreateGateway } from '../support/documents.ts';
import { AUDIENCE, Issuer } from '../support/issuer.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { WhoAmI } from './documents.ts';

let issuer: Issuer;
let mc: MissionControl;
let org: string;
beforeAll(async () => {
  issuer = await Issuer.start();
  mc = await startMissionControl({ OIDC_ISSUER: issuer.url, OIDC_AUDIENCE: AUDIENCE });
  org = (await mc.owner.run(WhoAmI)).viewer.organization.id;
});
afterAll(async () => {
  await mc.stop();
  await issuer.stop();
});

describe('somebody whom the identity provider vouches for', () => {
  it('is an operator, and what they do is kept under their name', async () => {
    const ada = mc.as(await issuer.token({ org, role: 'admin', name: 'Ada', sub: 'ada-1', jti: 'token-of-ada' }));
    expect((await ada.run(WhoAmI)).viewer).toMatchObject({
      kind: 'OPERATOR',
      role: 'ADMIN',
      organization: { id: org },
      agent: null,
    });
    const { url, token, stateDir: workspaceRoot } = UNREACHABLE;
    await ada.run(CreateGateway, { input: { name: 'Hers', url, token, workspaceRoot } });
    expect(await mc.prisma.activity.findFirst({ where: { objectName: 'Hers' } })).toMatchObject({
      actorKind: 'OPERATOR',
      actorId: 'ada-1',
      actorName: 'Ada',
      actorCredential: 'jwt:token-of',
    });
  });

  it('may do what their role may', async () => {
    const viewer = mc.as(await issuer.token({ org, role: 'VIEWER' }));
    const { url, stateDir: workspaceRoot } = UNREACHABLE;
    const { errors } = await viewer.ask(CreateGateway, { input: { name: 'No', url, workspaceRoot } });
    expect(errors?.[0]?.extensions?.code).toBe('FORBIDDEN');
  });

  it('is let in over WebSocket, until the token expires', async () => {
    // Taken for a minute beyond its expiry, as clocks may differ.
    const expiring = await issuer.token({ org, exp: Math.floor(Date.now() / 1_000) - 58 });
    const live = mc.as(expiring).subscribe(AgentEvents);
    await live.connected;
    await expect(live.ended).rejects.toMatchObject({ code: 4403, reason: 'Token expired' });
  });

  it.each<[string, Record<string, unknown>]>([
    ['an organization that is not here', { org: '01a202fc-6f9f-7729-b922-3bca6cdad021' }],
    ['no organization', { org: undefined }],
    ['an unknown role', { role: 'ROOT' }],
    ['another audience', { aud: 'another-application' }],
  ])('is nobody with a token for %s', async (_title, claims) => {
    const { status, errors } = await mc.as(await issuer.token({ org, ...claims })).ask(WhoAmI);
    expect(status).toBe(401);
    expect(errors?.[0]?.extensions?.code).toBe('UNAUTHENTICATED');
  });
});

it('operators and agents go on signing in while the issuer does not answer, and its own operators with a known key', async () => {
  const known = mc.as(await issuer.token({ org }));
  await known.run(WhoAmI);
  issuer.trouble = 'silence';
  try {
    expect((await mc.owner.ask(WhoAmI)).status).toBe(200);
    expect((await known.ask(WhoAmI)).status).toBe(200);
    expect((await mc.as(await issuer.token({ org }, { kid: 'new' })).ask(WhoAmI)).status).toBe(401);
  } finally {
    issuer.trouble = null;
  }
});
