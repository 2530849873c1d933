import { type DocumentNode, type ExecutionArgs, getOperationAST, Kind, type OperationDefinitionNode } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { endActiveSpan, inOperationSpan } from '../spans.ts';
import type { HttpMetrics, OperationLabels } from './metrics.ts';

const LONGEST_NAME = 100;

/** Counts and times operations, and makes each a span of its trace; of a subscription, until it has begun. */
export function observeOperations(metrics: HttpMetrics): Plugin {
  const observe = async <Result>(args: ExecutionArgs, execute: () => Promise<Result>): Promise<Result> => {
    const started = performance.now();
    const labels = operationLabels(args);
    const attributes = {
      'graphql.operation.type': labels.type,
      ...(args.operationName && { 'graphql.operation.name': args.operationName.slice(0, LONGEST_NAME) }),
    };
    let outcome: 'ok' | 'error' = 'error';
    try {
      const result = await inOperationSpan(`${labels.type} ${labels.field}`, { attributes }, execute);
      if (!hasErrors(result)) outcome = 'ok';
      return result;
    } finally {
      metrics.operationEnded(labels, outcome, (performance.now() - started) / 1_000);
    }
  };
  return {
    onExecute({ executeFn, setExecuteFn }) {
      setExecuteFn((args) => observe(args, async () => executeFn(args)));
    },
    onSubscribe({ subscribeFn, setSubscribeFn }) {
      setSubscribeFn(async (args) => {
        const results = await observe(args, async () => subscribeFn(args));
        // What follows may go on for days.
        endActiveSpan();
        return results;
      });
    },
  };
}

function hasErrors(result: unknown): boolean {
  return typeof result === 'object' && result !== null && 'errors' in result && result.errors !== undefined;
}

/** Documents are kept parsed (see ./documents), and with them their operations. */
const known = new WeakMap<OperationDefinitionNode, OperationLabels>();

/** Of an operation that is valid. */
export function operationLabels({
  document,
  operationName,
}: {
  document: DocumentNode;
  operationName?: string | null | undefined;
}): OperationLabels {
  const operation = getOperationAST(document, operationName);
  if (!operation) return { type: 'query', field: 'none' };
  const labels = known.get(operation) ?? { type: operation.operation, field: rootFieldOf(operation) };
  known.set(operation, labels);
  return labels;
}

function rootFieldOf({ selectionSet }: OperationDefinitionNode): string {
  const names = new Set(
    selectionSet.selections.map((selection) => (selection.kind === Kind.FIELD ? selection.name.value : 'several')),
  );
  const [only = 'several'] = names;
  return names.size === 1 ? only : 'several';
}
