import SchemaBuilder from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import SimpleObjectsPlugin from '@pothos/plugin-simple-objects';
import { GraphQLError } from 'graphql';
import { permits } from '../access/policy.ts';
import type PrismaTypes from '../generated/pothos-types.ts';
import { getDatamodel } from '../generated/pothos-types.ts';
import type { Context } from './context.ts';
import './loaded-columns.ts';

export const DEFAULT_PAGE_SIZE = 50;
export const LARGEST_PAGE = 100;

/** For fields that ask a gateway, some of them several times: what one costs beside the objects that come of it. */
export const READ_LIVE = { cost: 500 };

/** The one place that knows Pothos's plugins and the shape of what they work with. */
export const builder = new SchemaBuilder<{
  Context: Context;
  PrismaTypes: PrismaTypes;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: false;
  DefaultNodeNullability: false;
  AuthScopes: { gatewayReader: boolean };
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    JSON: { Input: unknown; Output: unknown };
  };
}>({
  // Errors first: it turns what the other plugins and the resolvers throw into members of result unions.
  plugins: [ErrorsPlugin, ScopeAuthPlugin, 'loadedColumns', PrismaPlugin, RelayPlugin, SimpleObjectsPlugin],
  defaultFieldNullability: false,
  errors: { directResult: true },
  scopeAuth: {
    // Otherwise a subscription would be accepted, and each of its events be an error.
    authorizeOnSubscribe: true,
    authScopes: ({ viewer }) => ({
      gatewayReader: permits(viewer, 'readGateway'),
    }),
    unauthorizedError: () => new GraphQLError('This token may not read this.', { extensions: { code: 'FORBIDDEN' } }),
  },
  prisma: {
    client: ({ fleet }) => fleet.database.prisma,
    dmmf: getDatamodel(),
    defaultConnectionSize: DEFAULT_PAGE_SIZE,
    maxConnectionSize: LARGEST_PAGE,
    // A resolver that finds out that there is nothing to read does not read.
    onUnusedQuery: null,
  },
  relay: {
    cursorType: 'String',
    edgesFieldOptions: { nullable: false, description: 'The page with each entry’s cursor.' },
    nodeFieldOptions: { nullable: false, description: 'The entry itself.' },
    nodesOnConnection: { description: 'The page without cursors.' },
    cursorFieldOptions: { description: 'Pass it as after or before to go on from this entry.' },
    pageInfoFieldOptions: { description: 'Whether there is more, and where to go on.' },
    pageInfoTypeOptions: { description: 'Where a page lies within its list.' },
    hasNextPageFieldOptions: { description: 'Whether entries follow this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether entries precede this page.' },
    startCursorFieldOptions: { description: 'The cursor of the first entry; null when the page is empty.' },
    endCursorFieldOptions: { description: 'The cursor of the last entry; null when the page is empty.' },
    firstArgOptions: { description: `Entries from the start, at most ${LARGEST_PAGE}. Default ${DEFAULT_PAGE_SIZE}.` },
    afterArgOptions: { description: 'Only entries after this cursor.' },
    lastArgOptions: { description: `Entries from the end, at most ${LARGEST_PAGE}.` },
    beforeArgOptions: { description: 'Only entries before this cursor.' },
    nodeQueryOptions: false,
    nodesQueryOptions: false,
  },
});

builder.queryType({ description: 'What can be read.' });
builder.mutationType({
  description: 'What can be asked for. Every expected failure is a member of the result’s union that implements Error.',
});
builder.subscriptionType({ description: 'What can be followed live.' });
