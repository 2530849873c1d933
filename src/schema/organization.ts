import { ConflictError, ValidationError } from '../fleet/errors.ts';
import { type CreatedOrganization, createOrganization } from '../fleet/organizations.ts';
import { createdApiToken } from './api-token.ts';
import { builder } from './builder.ts';
import { resultUnion } from './errors.ts';
import { node } from './node.ts';

export const organization = builder.prismaObject('Organization', {
  description: 'A tenant. Everything else belongs to one, and is invisible to the others.',
  interfaces: [node],
  select: { id: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'For people.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
  }),
});

const createdOrganization = builder.objectRef<CreatedOrganization>('CreatedOrganization').implement({
  description: 'An organization that was made.',
  fields: (t) => ({
    organization: t.expose('organization', { type: organization, description: 'The organization.' }),
    ownerToken: t.expose('ownerToken', {
      type: createdApiToken,
      description: 'Its first operator token, with the role OWNER.',
    }),
  }),
});

const createOrganizationInput = builder.inputType('CreateOrganizationInput', {
  description: 'A new organization.',
  fields: (t) => ({
    id: t.id({ description: 'A UUID of your choice: the same create sent twice makes one organization.' }),
    name: t.string({ required: true, description: 'For people. 1 to 80 characters.' }),
  }),
});

builder.mutationField('createOrganization', (t) =>
  t.field({
    type: createdOrganization,
    description:
      'Another tenant, with its own OWNER token. For owners of the installation’s first organization only. A repeat with ' +
      'the same id and name answers with the organization and its token, and with an empty secret, as that is shown once: ' +
      'when the first answer was lost, make another organization with another id.',
    args: { input: t.arg({ type: createOrganizationInput, required: true, description: 'The organization.' }) },
    errors: resultUnion('CreateOrganizationResult', [ValidationError, ConflictError]),
    resolve: (_root, { input }, { fleet, viewer }) => createOrganization(fleet, viewer, input),
  }),
);
