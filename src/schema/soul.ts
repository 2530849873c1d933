import { GraphQLError } from 'graphql';
import { findSouls } from '../fleet/souls.ts';
import { builder, LARGEST_PAGE } from './builder.ts';

const DEFAULT_FIRST = 20;
const LONGEST_QUERY = 200;

const soul = builder.simpleObject('Soul', {
  description: 'A text in a public directory that says how somebody of a role thinks and speaks.',
  fields: (t) => ({
    handle: t.string({ description: 'Its author’s name in the directory.' }),
    slug: t.string({ description: 'Its name among the author’s, for example code-reviewer.' }),
    pageUrl: t.string({ description: 'Its page in the directory.' }),
  }),
});

builder.queryField('souls', (t) =>
  t.field({
    type: [soul],
    description:
      'Souls in the directory (SOULS_URL) whose handle or slug contains the words. Empty when the directory cannot be reached.',
    args: {
      query: t.arg.string({
        required: true,
        description: `Words, at most ${LONGEST_QUERY} characters; none: all souls.`,
      }),
      first: t.arg.int({ description: `How many, from 1 to ${LARGEST_PAGE}. Default ${DEFAULT_FIRST}.` }),
    },
    resolve: (_root, { query, first }, { fleet }) => {
      const wanted = first ?? DEFAULT_FIRST;
      if (wanted < 1 || wanted > LARGEST_PAGE) throw wrongArgument(`first must be from 1 to ${LARGEST_PAGE}.`);
      if (query.length > LONGEST_QUERY) throw wrongArgument(`query must have at most ${LONGEST_QUERY} characters.`);
      return findSouls(fleet, query, wanted);
    },
  }),
);

function wrongArgument(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
}
