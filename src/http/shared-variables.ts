import { type ExecutionArgs, getOperationAST, Kind, visit } from 'graphql';

/** Arguments of a subscription that say where it begins, and nothing about what it tells. */
const WHERE_IT_BEGINS = ['after', 'since'];

/** The variables that what a subscription tells depends on: all but those that only say where it begins. */
export function sharedVariables({ document, operationName, variableValues }: ExecutionArgs): Record<string, unknown> {
  const beginning = variablesOfBeginning({ document, operationName: operationName ?? null });
  const uses = new Map<string, number>();
  visit(document, {
    Variable({ name: { value: name } }, _key, parent) {
      const isDefinition = parent !== undefined && 'kind' in parent && parent.kind === Kind.VARIABLE_DEFINITION;
      if (!isDefinition) uses.set(name, (uses.get(name) ?? 0) + 1);
    },
  });
  // One that the document does not use says nothing.
  const isShared = ([name]: [string, unknown]) => (uses.get(name) ?? 0) > (beginning.includes(name) ? 1 : 0);
  return Object.fromEntries(
    Object.entries(variableValues ?? {})
      .filter(isShared)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

function variablesOfBeginning({
  document,
  operationName,
}: Pick<ExecutionArgs, 'document' | 'operationName'>): string[] {
  const operation = getOperationAST(document, operationName);
  const fields = operation?.selectionSet.selections.filter((selection) => selection.kind === Kind.FIELD) ?? [];
  return fields
    .flatMap((field) => field.arguments ?? [])
    .filter(({ name }) => WHERE_IT_BEGINS.includes(name.value))
    .flatMap(({ value }) => (value.kind === Kind.VARIABLE ? [value.name.value] : []));
}
