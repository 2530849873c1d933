import { type CreatedApiToken, createApiToken, listApiTokens, revokeApiToken } from '../fleet/api-tokens.ts';
import { NotFoundError, ValidationError } from '../fleet/errors.ts';
import { builder } from './builder.ts';
import { deleted, resultUnion } from './errors.ts';
import { node } from './node.ts';
import { role } from './role.ts';

const apiToken = builder.prismaObject('ApiToken', {
  description: 'A bearer token of an operator. Its secret is shown once, when it is created.',
  interfaces: [node],
  fields: (t) => ({
    name: t.exposeString('name', { description: 'For people; what was done with the token is kept under it.' }),
    role: t.expose('role', { type: role, description: 'What it allows.' }),
    prefix: t.exposeString('prefix', { description: 'The first characters of the secret, to tell tokens apart.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last used, to the minute; null when it never was.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'From then on it lets nobody in; it stays in the list until it is revoked. Null: never.',
    }),
  }),
});

export const createdApiToken = builder.objectRef<CreatedApiToken>('CreatedApiToken').implement({
  description: 'A token that was made. The only time that the secret is shown.',
  fields: (t) => ({
    token: t.expose('token', { type: apiToken, description: 'The token.' }),
    secret: t.exposeString('secret', {
      description:
        'What to send as Authorization: Bearer …. It is kept nowhere here, and so is empty in the answer to a repeat of ' +
        'createOrganization.',
    }),
  }),
});

const createApiTokenInput = builder.inputType('CreateApiTokenInput', {
  description: 'A new operator token.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description: 'For people, for example whom or what it is for. 1 to 80 characters.',
    }),
    role: t.field({ type: role, required: true, description: 'What it is to allow. OWNER: only owners may give it.' }),
    expiresAt: t.field({ type: 'DateTime', description: 'When it is to stop working; left out, it does not.' }),
  }),
});

builder.queryField('apiTokens', (t) =>
  t.field({
    type: [apiToken],
    description:
      'The organization’s operator tokens, oldest first, without their secrets. Operators with the role ADMIN or above.',
    resolve: (_root, _args, { fleet, viewer }) => listApiTokens(fleet, viewer),
  }),
);

builder.mutationFields((t) => ({
  createApiToken: t.field({
    type: createdApiToken,
    description:
      'Makes an operator token. Operators with the role ADMIN or above; an OWNER token is made by owners only. Sent twice, ' +
      'it makes two.',
    args: { input: t.arg({ type: createApiTokenInput, required: true, description: 'The token.' }) },
    errors: resultUnion('CreateApiTokenResult', [ValidationError]),
    resolve: (_root, { input }, { fleet, viewer }) => createApiToken(fleet, viewer, input),
  }),
  revokeApiToken: t.field({
    type: deleted,
    description:
      'Revokes an operator token: it lets nobody in any more, and WebSockets and streams that were opened with it end ' +
      'within seconds. Every operator may revoke their own, administrators all but owners’, owners all. Refused with ' +
      'FORBIDDEN for the last OWNER token that does not expire, so that nobody is locked out. The token that ADMIN_TOKEN ' +
      'in the server’s environment gives comes back at the next start, unless that was changed.',
    args: { id: t.arg.id({ required: true, description: 'The token’s id.' }) },
    errors: resultUnion('RevokeApiTokenResult', [NotFoundError]),
    resolve: (_root, { id }, { fleet, viewer }) => revokeApiToken(fleet, viewer, id),
  }),
}));
