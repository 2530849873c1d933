import {
  type ASTVisitor,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';

/** A subscription whose only field may be left out subscribes to nothing; GraphQL's September 2025 edition refuses it as well. */
export function noConditionalSubscription(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition({ operation, selectionSet }) {
      if (operation !== 'subscription') return;
      const nodes = rootSelections(selectionSet, (name) => context.getFragment(name)).filter(({ directives }) =>
        directives?.some(({ name }) => name.value === 'skip' || name.value === 'include'),
      );
      if (nodes.length > 0)
        context.reportError(new GraphQLError('A subscription’s root takes neither @skip nor @include.', { nodes }));
    },
  };
}

/** What stands at the root, also by way of fragments; of a fragment that comes again, once. */
function rootSelections(
  { selections }: SelectionSetNode,
  fragmentOf: (name: string) => FragmentDefinitionNode | null | undefined,
  seen = new Set<string>(),
): SelectionNode[] {
  return selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return [selection];
    if (selection.kind === Kind.INLINE_FRAGMENT)
      return [selection, ...rootSelections(selection.selectionSet, fragmentOf, seen)];
    const { value } = selection.name;
    const fragment = seen.has(value) ? null : fragmentOf(value);
    seen.add(value);
    return fragment ? [selection, ...rootSelections(fragment.selectionSet, fragmentOf, seen)] : [selection];
  });
}
