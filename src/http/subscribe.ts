import { createSourceEventStream, type ExecutionArgs, type ExecutionResult, execute } from 'graphql';
import { FeedSubscription } from '../events/feed-subscription.ts';
import type { Context } from '../schema/context.ts';
import type { LiveResults, Sink } from './live-results.ts';
import { Results, type ResultsWatch } from './results.ts';

export interface SubscribeOptions {
  live: LiveResults;
  /** The result as this client may see it. */
  present: (result: ExecutionResult) => ExecutionResult;
  /** The error that ended it, as this client may see it. */
  presentError: (error: unknown) => ExecutionResult;
  /** Where live results can go without being asked for; null: there is no such way. */
  sink: Sink | null;
  /** Called when it is accepted. */
  onBegin: () => ResultsWatch;
}

export type SubscriptionArgs = ExecutionArgs & { contextValue: Context };

/**
 * GraphQL's subscribe, with the results of the feed executed once for all who ask for the same. What ends it is told as a
 * last result with an error.
 */
export async function subscribe(
  args: SubscriptionArgs,
  { live, present, presentError, sink, onBegin }: SubscribeOptions,
): Promise<AsyncGenerator<ExecutionResult> | ExecutionResult> {
  const source = await createSourceEventStream(args);
  if (!(Symbol.asyncIterator in source)) return present(source);
  if (source instanceof FeedSubscription)
    return new Results(
      live.follow({ args, feed: source, present }, sink),
      ({ result }) => result,
      presentError,
      onBegin(),
    );
  const executeFor = async (event: unknown) =>
    present(await execute({ ...args, rootValue: event, contextValue: { ...args.contextValue } }));
  return new Results(source[Symbol.asyncIterator](), executeFor, presentError, onBegin());
}
