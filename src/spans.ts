import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';

// Spans of traces, for every room. Without a tracer provider, which src/observability/tracing registers, OpenTelemetry's API
// does nothing. Spans hold no tokens, no variables, no documents, and of an error only its name.

const tracer = trace.getTracer('mission-control');

export interface SpanOptions {
  attributes?: Attributes;
  /** For calls of others. */
  isCall?: boolean;
}

/** Whether what is done now is part of a trace, and of a span of it that has not ended: subscriptions go on long after theirs. */
export function isTraced(): boolean {
  return trace.getActiveSpan()?.isRecording() ?? false;
}

/** Where what is done now stands in its trace, for log lines; nothing where it is part of none. */
export function tracePlace(): { trace_id?: string; span_id?: string } {
  const span = trace.getActiveSpan();
  if (!span?.isRecording()) return {};
  const { traceId, spanId } = span.spanContext();
  return { trace_id: traceId, span_id: spanId };
}

/** Does a part of what is traced, as a span of its own. What is part of no trace begins none. Throws what `work` throws. */
export function inSpan<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T> {
  return isTraced() ? beginSpan(name, options, context.active(), work) : work();
}

/** Does an operation, as a span of the request that it came with, or as the beginning of a trace. Throws what `work` throws. */
export function inOperationSpan<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T> {
  return beginSpan(name, options, context.active(), work);
}

/**
 * Does what was asked for by others, as a span of the first one's trace that tells of the others.
 * @param causes what `traceparent` answered for each; none: it begins a trace
 */
export function inSpanOf<T>(causes: string[], name: string, options: SpanOptions, work: () => Promise<T>): Promise<T> {
  const [parent = ROOT_CONTEXT, ...others] = causes.map((traceparent) =>
    propagation.extract(ROOT_CONTEXT, { traceparent }),
  );
  return beginSpan(name, options, parent, work, others);
}

/** Does what somebody else asks for, in their trace. @param traceparent of the W3C; what is none, changes nothing */
export function inTraceOf<T>(traceparent: unknown, work: () => T): T {
  if (typeof traceparent !== 'string') return work();
  return context.with(propagation.extract(context.active(), { traceparent }), work);
}

/** What is done now, in the form of the W3C's header; null when it is part of no trace. */
export function traceparent(): string | null {
  if (!isTraced()) return null;
  const carrier: { traceparent?: string } = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent ?? null;
}

function beginSpan<T>(
  name: string,
  { attributes = {}, isCall = false }: SpanOptions,
  parent: Context,
  work: () => Promise<T>,
  others: Context[] = [],
): Promise<T> {
  const links = others.flatMap((other) => trace.getSpanContext(other) ?? []).map((linked) => ({ context: linked }));
  const kind = isCall ? SpanKind.CLIENT : SpanKind.INTERNAL;
  return tracer.startActiveSpan(name, { attributes, kind, links }, parent, async (span) => {
    try {
      return await work();
    } catch (error) {
      setFailed(span, error instanceof Error ? error.name : typeof error);
      throw error;
    } finally {
      span.end();
    }
  });
}

function setFailed(span: Span, type: string): void {
  span.setStatus({ code: SpanStatusCode.ERROR });
  span.setAttribute('error.type', type);
}

/** A request over HTTP, as a span of its caller's trace when its headers name one. */
export class RequestSpan {
  readonly #span: Span;
  readonly #context: Context;

  constructor(method: string, path: string, headers: object) {
    const parent = propagation.extract(ROOT_CONTEXT, headers);
    const attributes = { 'http.request.method': method, 'url.path': path };
    this.#span = tracer.startSpan(`${method} ${path}`, { attributes, kind: SpanKind.SERVER }, parent);
    this.#context = trace.setSpan(parent, this.#span);
  }

  /** Does something within it. */
  run<T>(work: () => T): T {
    return context.with(this.#context, work);
  }

  /** Nothing happens when it has ended before. */
  end(status: number): void {
    if (!this.#span.isRecording()) return;
    this.#span.setAttribute('http.response.status_code', status);
    if (status >= 500) setFailed(this.#span, String(status));
    this.#span.end();
  }
}

/** Ends the span under way, of a request whose answer goes on for as long as its caller likes. */
export function endActiveSpan(): void {
  const span = trace.getActiveSpan();
  if (span?.isRecording()) span.end();
}
