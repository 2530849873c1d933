import type { ResultsWatch } from './results.ts';

/** What an operation is known as: few of each, whatever clients send. */
export interface OperationLabels {
  type: 'query' | 'mutation' | 'subscription';
  /** The field of the root type that it asks for; `several` when it asks for more than one. */
  field: string;
}

/** What this room counts, and what it answers with at /metrics. */
export interface HttpMetrics {
  /** @param seconds null for what is no duration of a request: a stream of events */
  requestEnded(path: string, status: number, seconds: number | null): void;
  /** @param outcome error: the result has top-level errors */
  operationEnded(labels: OperationLabels, outcome: 'ok' | 'error', seconds: number): void;
  /** A top-level error was told to a client. */
  errorTold(code: string): void;
  subscriptionBegan(field: string): ResultsWatch;
  /** A result of a subscription has gone to its client. */
  delivered(): void;
  /** All metrics, in the text format of Prometheus. */
  text(): Promise<string>;
  readonly contentType: string;
}
