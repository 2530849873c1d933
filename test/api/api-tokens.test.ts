import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureFirstOrganization } from '../../src/fleet/organizations.ts';
import { graphql } from '../../src/generated/client/gql.ts';
import type { Role } from '../../src/generated/client/graphql.ts';
import { asOperator, asStranger, operatorToken } from '../support/callers.ts';
import type { Client } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { ADMIN_TOKEN, type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { storedFleet } from '../support/stored.ts';
import { WhoAmI } from './documents.ts';

const ListTokens = graphql(`
  query ListTokens { apiTokens { id name role prefix createdAt lastUsedAt expiresAt } }
`);
const CreateToken = graphql(`
  mutation CreateToken($input: CreateApiTokenInput!) {
    createApiToken(input: $input) {
      __typename
      ... on CreatedApiToken { secret token { id name role prefix createdAt lastUsedAt expiresAt } }
      ... on ValidationError { fields { path message } }
      ... on Error { message code }
    }
  }
`);
const RevokeToken = graphql(`
  mutation RevokeToken($id: ID!) {
    revokeApiToken(id: $id) { __typename ... on Deleted { id } ... on Error { message code } }
  }
`);
const CreateOrganization = graphql(`
  mutation CreateOrganization($input: CreateOrganizationInput!) {
    createOrganization(input: $input) {
      __typename
      ... on CreatedOrganization { organization { id name } ownerToken { secret token { id name role prefix } } }
      ... on ValidationError { fields { path message } }
      ... on Error { message code }
    }
  }
`);
const ReadActivity = graphql(`
  query ReadActivity { activity(last: 3) { nodes { action objectId objectName message actor { name } } } }
`);
const ReadNode = graphql(`
  query ReadNode($id: ID!) { node(id: $id) { __typename id } }
`);

let mc: MissionControl;
beforeAll(async () => {
  mc = await startMissionControl();
});
afterAll(() => mc.stop());

async function create(client: Client, role: Role, name: string, expiresAt?: string) {
  const { createApiToken } = await client.run(CreateToken, { input: { name, role, ...(expiresAt && { expiresAt }) } });
  if (createApiToken.__typename !== 'CreatedApiToken') expect.fail(JSON.stringify(createApiToken));
  return createApiToken;
}

async function codeOf(answer: Promise<{ data: object | null; errors?: { extensions?: Record<string, unknown> }[] }>) {
  const { data, errors } = await answer;
  const [result] = Object.values(data ?? {}) as { __typename: string }[];
  return errors?.[0]?.extensions?.code ?? result?.__typename;
}

describe('an operator token', () => {
  it('is shown once, lets in with its role, and is kept with what was done with it', async () => {
    const { token, secret } = await create(mc.owner, 'MEMBER', 'CI of the website');
    expect(secret).toMatch(/^mco_[\w-]{43}$/);
    expect(token).toMatchObject({ role: 'MEMBER', prefix: secret.slice(0, 8), lastUsedAt: null, expiresAt: null });
    const { viewer } = await mc.as(secret).run(WhoAmI);
    expect(viewer).toMatchObject({ kind: 'OPERATOR', role: 'MEMBER' });
    const { apiTokens } = await mc.owner.run(ListTokens);
    expect(JSON.stringify(apiTokens)).not.toContain(secret.slice(8));
    expect(apiTokens.find(({ id }) => id === token.id)).toMatchObject({ name: 'CI of the website' });
    expect((await mc.owner.run(ReadNode, { id: token.id })).node).toEqual({ __typename: 'ApiToken', id: token.id });

    expect((await mc.owner.run(RevokeToken, { id: token.id })).revokeApiToken).toEqual({
      __typename: 'Deleted',
      id: token.id,
    });
    expect((await mc.as(secret).ask(WhoAmI)).status).toBe(401);
    const { activity } = await mc.owner.run(ReadActivity);
    const about = { objectId: token.id, objectName: 'CI of the website', actor: { name: 'ADMIN_TOKEN' } };
    expect(activity.nodes.slice(-2)).toEqual([
      { ...about, action: 'API_TOKEN_CREATED', message: 'With the role MEMBER.' },
      { ...about, action: 'API_TOKEN_REVOKED', message: null },
    ]);
    expect(JSON.stringify(await mc.prisma.activity.findMany())).not.toContain(secret.slice(8));
  });

  it('tells when it was last used, which is written once a minute at most', async () => {
    const { token, secret } = await create(mc.owner, 'VIEWER', 'Used');
    const lastUsedAt = async () => (await mc.prisma.apiToken.findUniqueOrThrow({ where: { id: token.id } })).lastUsedAt;
    await mc.as(secret).run(WhoAmI);
    const first = await eventually(lastUsedAt, (at) => at !== null);
    // Of a use half a minute later nothing is written, of one after a minute it is.
    const at = (secondsAgo: number) => new Date(Date.now() - secondsAgo * 1_000);
    const recent = at(30);
    await mc.prisma.apiToken.update({ where: { id: token.id }, data: { lastUsedAt: recent } });
    await mc.as(secret).run(WhoAmI);
    const other = await create(mc.owner, 'VIEWER', 'Used later');
    await mc.as(other.secret).run(WhoAmI);
    await eventually(
      () => mc.prisma.apiToken.findUniqueOrThrow({ where: { id: other.token.id } }),
      (row) => row.lastUsedAt !== null,
    );
    expect(await lastUsedAt()).toEqual(recent);
    await mc.prisma.apiToken.update({ where: { id: token.id }, data: { lastUsedAt: at(61) } });
    await mc.as(secret).run(WhoAmI);
    await eventually(lastUsedAt, (now) => now !== null && first !== null && now >= first);
  });

  it('can expire, in the future only', async () => {
    const soon = new Date(Date.now() + 60_000).toISOString();
    expect((await create(mc.owner, 'VIEWER', 'For a minute', soon)).token.expiresAt).toBe(soon);
    const before = await storedFleet(mc);
    for (const [input, path, message] of [
      [{ name: 'Late', expiresAt: new Date(Date.now() - 1).toISOString() }, 'input.expiresAt', 'must be in the future'],
      [{ name: ' ' }, 'input.name', 'must not be empty'],
      [{ name: 'x'.repeat(81) }, 'input.name', 'must have at most 80 characters'],
      [
        { name: 'ADMIN_TOKEN' },
        'input.name',
        'must be another one: this is the name of the token that the environment gives',
      ],
    ] as const) {
      const { createApiToken } = await mc.owner.run(CreateToken, { input: { role: 'VIEWER', ...input } });
      expect(createApiToken).toMatchObject({ __typename: 'ValidationError', fields: [{ path, message }] });
    }
    expect(await storedFleet(mc)).toEqual(before);
  });

  it('is managed by administrators, an owner’s by owners, and by everybody their own', async () => {
    const admin = await asOperator(mc, 'ADMIN');
    const owners = await create(mc.owner, 'OWNER', 'Another owner');
    const members = await create(admin, 'MEMBER', 'A member');
    const viewers = await create(admin, 'VIEWER', 'A viewer');
    const stranger = await asStranger(mc);
    const before = await storedFleet(mc);
    expect(await codeOf(admin.ask(CreateToken, { input: { name: 'More', role: 'OWNER' } }))).toBe('FORBIDDEN');
    expect(await codeOf(admin.ask(RevokeToken, { id: owners.token.id }))).toBe('FORBIDDEN');
    expect(await codeOf(mc.as(members.secret).ask(RevokeToken, { id: viewers.token.id }))).toBe('NotFoundError');
    expect(await codeOf(stranger.ask(RevokeToken, { id: viewers.token.id }))).toBe('NotFoundError');
    expect((await stranger.run(ReadNode, { id: viewers.token.id })).node).toBeNull();
    expect((await stranger.run(ListTokens)).apiTokens).toHaveLength(1);
    expect(await codeOf(mc.owner.ask(RevokeToken, { id: 'no id' }))).toBe('NotFoundError');
    expect(await storedFleet(mc)).toEqual(before);
    for (const { token, secret } of [members, viewers, owners]) {
      const self = mc.as(secret);
      expect((await self.run(ReadNode, { id: token.id })).node?.id).toBe(token.id);
      expect(await codeOf(self.ask(RevokeToken, { id: token.id }))).toBe('Deleted');
      expect((await self.ask(WhoAmI)).status).toBe(401);
    }
  });

  it('of the last owner stays, also when two owners revoke each other’s at once', async () => {
    const { id: organizationId } = await mc.prisma.organization.create({ data: { name: 'Two owners' } });
    const clients = await Promise.all(
      [0, 1].map(async () => mc.as(await operatorToken(mc, 'OWNER', { organizationId }))),
    );
    const [one, two] = await mc.prisma.apiToken.findMany({ where: { organizationId } });
    const soon = new Date(Date.now() + 60_000).toISOString();
    // One that will expire is no way in for ever.
    const [first] = clients;
    if (!first || !one || !two) expect.fail();
    const brief = await create(first, 'OWNER', 'Brief', soon);
    const outcomes = await Promise.all(
      [one, two].map((token, index) => codeOf((clients[index] ?? first).ask(RevokeToken, { id: token.id }))),
    );
    expect(outcomes.toSorted()).toEqual(['Deleted', 'FORBIDDEN']);
    const left = await mc.prisma.apiToken.findMany({ where: { organizationId }, orderBy: { id: 'asc' } });
    expect(left.map(({ name }) => name)).toEqual(['Test OWNER', 'Brief']);
    expect(await codeOf(mc.as(brief.secret).ask(RevokeToken, { id: left[0]?.id ?? '' }))).toBe('FORBIDDEN');
    expect(await codeOf(mc.as(brief.secret).ask(RevokeToken, { id: brief.token.id }))).toBe('Deleted');
  });
});

describe('another organization', () => {
  it('is made with an owner of its own, and sees nothing of the others', async () => {
    const { createOrganization: made } = await mc.owner.run(CreateOrganization, { input: { name: 'Second' } });
    if (made.__typename !== 'CreatedOrganization') expect.fail(JSON.stringify(made));
    expect(made).toMatchObject({
      organization: { name: 'Second' },
      ownerToken: { token: { name: 'First token', role: 'OWNER' } },
    });
    const owner = mc.as(made.ownerToken.secret);
    const { viewer } = await owner.run(WhoAmI);
    expect(viewer).toMatchObject({ role: 'OWNER', organization: made.organization });
    expect((await owner.run(ListTokens)).apiTokens.map(({ id }) => id)).toEqual([made.ownerToken.token.id]);
    const { activity } = await mc.owner.run(ReadActivity);
    expect(activity.nodes.at(-1)).toMatchObject({ action: 'ORGANIZATION_CREATED', objectId: made.organization.id });

    // Only owners of the first one make more.
    const before = await storedFleet(mc);
    for (const client of [owner, await asOperator(mc, 'ADMIN')])
      expect(await codeOf(client.ask(CreateOrganization, { input: { name: 'Third' } }))).toBe('FORBIDDEN');
    expect((await storedFleet(mc)).organizations).toBe(before.organizations);
  });

  it('is made once by creates that are repeated, and its secret is shown once', async () => {
    // The smallest id there is: which organization is the first one does not hang on it.
    const input = { id: '00000000-0000-4000-8000-000000000000', name: 'Repeated' };
    const answers = await Promise.all([0, 1, 2].map(() => mc.owner.run(CreateOrganization, { input })));
    const made = answers.map(({ createOrganization }) =>
      createOrganization.__typename === 'CreatedOrganization' ? createOrganization : expect.fail(),
    );
    expect(new Set(made.map(({ organization }) => organization.id))).toEqual(new Set([input.id]));
    expect(new Set(made.map(({ ownerToken }) => ownerToken.token.id)).size).toBe(1);
    const secrets = made.map(({ ownerToken }) => ownerToken.secret).filter((secret) => secret !== '');
    expect(secrets).toHaveLength(1);
    expect((await mc.as(secrets[0] ?? '').run(WhoAmI)).viewer.organization.id).toBe(input.id);
    expect(await mc.prisma.apiToken.count({ where: { organizationId: input.id } })).toBe(1);

    const renamed = await mc.owner.run(CreateOrganization, { input: { ...input, name: 'Renamed' } });
    expect(renamed.createOrganization).toMatchObject({ __typename: 'ConflictError' });
    const { id: firstId } = (await mc.owner.run(WhoAmI)).viewer.organization;
    const first = await mc.owner.run(CreateOrganization, { input: { id: firstId, name: 'Default' } });
    expect(first.createOrganization).toMatchObject({ __typename: 'ConflictError' });
    expect(await codeOf(mc.owner.ask(CreateOrganization, { input: { name: 'By the first one' } }))).toBe(
      'CreatedOrganization',
    );

    // What its owners have done with the token since is theirs.
    await mc.prisma.apiToken.deleteMany({ where: { organizationId: input.id } });
    const late = await mc.owner.run(CreateOrganization, { input });
    expect(late.createOrganization).toMatchObject({ __typename: 'ConflictError', code: 'CONFLICT' });
  });

  it.each([
    [{ name: '' }, 'input.name'],
    [{ name: 'x\ny' }, 'input.name'],
    [{ id: 'x', name: 'Named' }, 'input.id'],
  ])('is not made of %j', async (input, path) => {
    const { createOrganization } = await mc.owner.run(CreateOrganization, { input });
    expect(createOrganization).toMatchObject({ __typename: 'ValidationError', fields: [{ path }] });
  });
});

it('the token of the environment, revoked, is back at the next start, in the first organization', async () => {
  const { organization } = (await mc.owner.run(WhoAmI)).viewer;
  const other = await create(mc.owner, 'OWNER', 'Somebody else');
  const admin = await mc.prisma.apiToken.findFirstOrThrow({ where: { name: 'ADMIN_TOKEN' } });
  expect(await codeOf(mc.as(other.secret).ask(RevokeToken, { id: admin.id }))).toBe('Deleted');
  expect((await mc.owner.ask(WhoAmI)).status).toBe(401);
  // What every start does.
  expect(await ensureFirstOrganization(mc, ADMIN_TOKEN)).toBeNull();
  expect((await mc.owner.run(WhoAmI)).viewer).toMatchObject({ role: 'OWNER', organization });
});
