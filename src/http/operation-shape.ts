import { GraphQLError, type SelectionSetNode, type ValidationRule } from 'graphql';

/** What an operation may look like. */
export interface ShapeLimits {
  /** Levels of fields. */
  depth: number;
  /** Fields with an alias. */
  aliases: number;
  /** Directives, on whatever they stand. */
  directives: number;
  /** Tokens of a document. No operation may have more fields and fragments, once its fragments are put in their places. */
  tokens: number;
}

interface Shape {
  depth: number;
  aliases: number;
  directives: number;
  selections: number;
}

const NOTHING: Shape = { depth: 0, aliases: 0, directives: 0, selections: 0 };

/**
 * Refuses operations that are larger than an honest client writes them, counted as if each fragment stood where it is spread.
 * Each fragment is looked at once, so the time is linear in the document, whatever it would grow to. It runs side by side with
 * GraphQL's own rules: the document may have circular or unknown fragments.
 */
export function limitShape(limits: ShapeLimits): ValidationRule {
  return (context) => {
    const fragments = new Map<string, Shape>();

    function shapeOfFragment(name: string): Shape {
      const known = fragments.get(name);
      if (known) return known;
      // Within itself it counts as nothing: another rule refuses circles.
      fragments.set(name, NOTHING);
      const fragment = context.getFragment(name);
      if (!fragment) return NOTHING;
      const shape = plus(shapeOf(fragment.selectionSet), { directives: fragment.directives?.length ?? 0 });
      fragments.set(name, shape);
      return shape;
    }

    function shapeOf({ selections }: SelectionSetNode): Shape {
      const shape = { ...NOTHING, selections: selections.length };
      for (const selection of selections) {
        shape.directives += selection.directives?.length ?? 0;
        if (selection.kind === 'FragmentSpread') {
          add(shape, shapeOfFragment(selection.name.value), 0);
        } else if (selection.kind === 'InlineFragment') {
          add(shape, shapeOf(selection.selectionSet), 0);
        } else {
          if (selection.alias) shape.aliases++;
          add(shape, selection.selectionSet ? shapeOf(selection.selectionSet) : NOTHING, 1);
        }
      }
      return shape;
    }

    return {
      OperationDefinition(operation) {
        const onVariables = operation.variableDefinitions?.map(({ directives }) => directives?.length ?? 0) ?? [];
        const directives = onVariables.reduce((sum, count) => sum + count, operation.directives?.length ?? 0);
        const shape = plus(shapeOf(operation.selectionSet), { directives });
        const report = (code: string, problem: (found: number) => string, found: number, limit: number) => {
          if (found <= limit) return;
          const shown = Math.min(found, Number.MAX_SAFE_INTEGER);
          const extensions = { code, found: shown, limit };
          context.reportError(new GraphQLError(problem(shown), { nodes: operation, extensions }));
        };
        report(
          'DEPTH_LIMIT_EXCEEDED',
          (found) => `The operation is ${found} levels deep; it may be ${limits.depth}.`,
          shape.depth,
          limits.depth,
        );
        report(
          'ALIAS_LIMIT_EXCEEDED',
          (found) => `The operation has ${found} aliases; it may have ${limits.aliases}.`,
          shape.aliases,
          limits.aliases,
        );
        report(
          'DIRECTIVE_LIMIT_EXCEEDED',
          (found) => `The operation has ${found} directives; it may have ${limits.directives}.`,
          shape.directives,
          limits.directives,
        );
        report(
          'SELECTION_LIMIT_EXCEEDED',
          (found) =>
            `With its fragments in their places the operation has ${found} fields and fragments; it may have ${limits.tokens}.`,
          shape.selections,
          limits.tokens,
        );
      },
    };
  };
}

function add(shape: Shape, below: Shape, levels: number): void {
  shape.depth = Math.max(shape.depth, below.depth + levels);
  shape.aliases += below.aliases;
  shape.directives += below.directives;
  shape.selections += below.selections;
}

function plus(shape: Shape, { directives }: Pick<Shape, 'directives'>): Shape {
  return { ...shape, directives: shape.directives + directives };
}
