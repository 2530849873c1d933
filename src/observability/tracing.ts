import { context, DiagLogLevel, diag, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { setGlobalErrorHandler, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Tracing } from '../config.ts';
import type { Log } from '../log.ts';

/** How long a collector that does not answer may hold up the end of the process. */
const FLUSH_MS = 2_000;
/** Also how long what has happened may take to be seen. */
const SEND_EVERY_MS = 2_000;
/** Spans that wait to be sent; more are left out. A few kB each. */
const MOST_WAITING = 8_192;
/** Of a text, a statement for example. */
const LONGEST_VALUE = 2_000;

/**
 * From now on the spans of this process are sent to the collector, in groups. One that cannot be reached is told in the log and
 * costs the spans, nothing else. Once per process: OpenTelemetry's API is one for all of it.
 * @param version the server's own
 * @returns what sends the spans that wait, for up to 2 s, and ends it
 */
export function startTracing(settings: Tracing, version: string, log: Log): () => Promise<void> {
  const { endpoint, headers, serviceName } = settings;
  const exporter = new OTLPTraceExporter({ url: `${endpoint}/v1/traces`, headers });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': serviceName, 'service.version': version }),
    sampler: samplerOf(settings),
    spanLimits: { attributeValueLengthLimit: LONGEST_VALUE },
    spanProcessors: [
      new BatchSpanProcessor({ exporter, maxQueueSize: MOST_WAITING, scheduledDelayMillis: SEND_EVERY_MS }),
    ],
  });
  const tell = (message: string) => log.warn({ endpoint, error: message }, 'cannot send traces');
  setGlobalErrorHandler((error) =>
    tell(typeof error === 'string' ? error : (error.message ?? 'for an unknown reason')),
  );
  const quiet = () => undefined;
  // Of its warnings only that there were more than it could send: others have settings in them.
  const warn = (message: string) => message.startsWith('Dropped') && tell(message);
  diag.setLogger({ error: quiet, warn, info: quiet, debug: quiet, verbose: quiet }, { logLevel: DiagLogLevel.WARN });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  return async () => {
    const { promise: tooLate, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      tell(`They were not taken within ${FLUSH_MS} ms.`);
      resolve();
    }, FLUSH_MS);
    const sent = provider.shutdown().catch((error: unknown) => tell(String(error)));
    await Promise.race([sent, tooLate]);
    clearTimeout(timer);
  };
}

function samplerOf({ sampler, samplerRatio }: Tracing): Sampler {
  switch (sampler) {
    case 'always_on':
      return new AlwaysOnSampler();
    case 'always_off':
      return new AlwaysOffSampler();
    case 'traceidratio':
      return new TraceIdRatioBasedSampler(samplerRatio);
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(samplerRatio) });
  }
}
