import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import { type ExecutionArgs, type ExecutionResult, getOperationAST, OperationTypeNode } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { rightsOf } from '../access/visibility.ts';
import type { Context } from '../schema/context.ts';
import { keyOf } from './key.ts';

/** How long those who come wait for what is under way: it may be waiting for a gateway. */
const PATIENCE_MS = 50;

/**
 * Executes a query once for all who ask the same at the same time with the same credential, as the pages of a fleet do that read
 * their list again after an event. Whoever comes while it is executed shares the next execution with all others who come
 * meanwhile. That one begins after they have asked, so it is as true as one of their own.
 */
export function shareQueries(): Plugin<Context> {
  const executions = new Executions();
  return {
    onExecute({ args, executeFn, setExecuteFn }) {
      const key = keyOfQuery(args);
      if (key !== null) setExecuteFn((given) => executions.join(key, async () => withText(await executeFn(given))));
    },
  };
}

/** Null for what is executed for each who asks. */
function keyOfQuery(args: ExecutionArgs & { contextValue: Context }): string | null {
  const { document, operationName, variableValues, contextValue } = args;
  const text = document.loc?.source.body;
  if (text === undefined || getOperationAST(document, operationName)?.operation !== OperationTypeNode.QUERY)
    return null;
  const { viewer } = contextValue;
  return keyOf([text, operationName, variableValues, rightsOf(viewer), viewer.actor]);
}

/** Its JSON is made once for all. */
function withText<Result extends ExecutionResult>(result: Result): Result {
  // With errors it is told to each with a request id.
  if (result.errors) return result;
  let text: string | null = null;
  // yoga calls it in place of JSON.stringify.
  const stringify = (sanitized: unknown) => {
    text ??= JSON.stringify(sanitized);
    return text;
  };
  return Object.defineProperty(result, 'stringify', { value: stringify });
}

/** Executions under keys: one at a time, and one more for all who come meanwhile, or at the same moment. */
export class Executions {
  readonly #underWay = new Map<string, Promise<unknown>>();
  readonly #next = new Map<string, Promise<unknown>>();

  /** @returns what `execute`, or that of somebody else who joined, comes to */
  join<Result>(key: string, execute: () => Promise<Result>): Promise<Result> {
    // Whoever joins under a key executes the same.
    const known = this.#next.get(key) as Promise<Result> | undefined;
    if (known) return known;
    const underWay = this.#underWay.get(key);
    // Behind all requests that have arrived by then.
    const ready = underWay ? Promise.race([underWay.catch(() => undefined), sleep(PATIENCE_MS)]) : immediate();
    const next = ready.then(() => {
      this.#next.delete(key);
      return this.#begin(key, execute);
    });
    this.#next.set(key, next);
    return next;
  }

  #begin<Result>(key: string, execute: () => Promise<Result>): Promise<Result> {
    const execution = execute().finally(() => {
      if (this.#underWay.get(key) === execution) this.#underWay.delete(key);
    });
    this.#underWay.set(key, execution);
    return execution;
  }
}
