import { context, DiagLogLevel, diag, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
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
    spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: SEND_EVERY_MS })],
  });
  const tell = (message: string) => log.warn({ endpoint, error: message }, 'cannot send traces');
  const quiet = () => undefined;
  diag.setLogger(
    { error: tell, warn: quiet, info: quiet, debug: quiet, verbose: quiet },
    { logLevel: DiagLogLevel.ERROR },
  );
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  return async () => {
    const { promise: tooLate, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      tell(`They were not taken within ${FLUSH_MS} ms.`);
      resolve();
    }, FLUSH_MS);
    await Promise.race([provider.shutdown(), tooLate]);
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
