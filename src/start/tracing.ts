import type { Config } from '../config';
import type { Logger } from '../log';
import { idsGiven, switchTracing } from '../tracing';

export type TracingSettings = Pick<Config, 'OTEL_EXPORTER_OTLP_ENDPOINT' | 'OTEL_TRACES_SAMPLER_ARG'>;

/** Trouble with whoever takes the traces is told so often, at most. */
const tellEverySeconds = 60;
/** The process must end in time also where nobody takes what is left. */
const closeMilliseconds = 2_000;

/**
 * Sends traces to where OTEL_EXPORTER_OTLP_ENDPOINT says, over OTLP as JSON. Without it nothing is loaded, and the spans of
 * `src/tracing.ts` are none. A share of the calls is chosen by their ids, so that each is traced as a whole or not at all.
 *
 * @param role names the process: `call-orchestrator-<role>`
 */
export async function startTracing(
  role: string,
  config: TracingSettings,
  log: Logger,
): Promise<{ close: () => Promise<void> }> {
  const endpoint = config.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (endpoint === undefined) return { close: () => Promise.resolve() };
  const [api, { AsyncLocalStorageContextManager }, { W3CTraceContextPropagator }, resources, exporter, sdk] =
    await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/context-async-hooks'),
      import('@opentelemetry/core'),
      import('@opentelemetry/resources'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/sdk-trace'),
    ]);
  api.diag.setLogger(quietly(log), api.DiagLogLevel.WARN);
  const random = new sdk.RandomIdGenerator();
  const provider = new sdk.TracerProvider({
    resource: resources
      .defaultResource()
      .merge(resources.resourceFromAttributes({ 'service.name': `call-orchestrator-${role}` }))
      .merge(resources.detectResources({ detectors: [resources.envDetector] })),
    sampler: new sdk.TraceIdRatioBasedSampler(config.OTEL_TRACES_SAMPLER_ARG),
    idGenerator: {
      generateTraceId: () => idsGiven().traceId ?? random.generateTraceId(),
      generateSpanId: () => idsGiven().spanId ?? random.generateSpanId(),
    },
    spanProcessors: [
      new sdk.BatchSpanProcessor({
        exporter: new exporter.OTLPTraceExporter({ url: `${endpoint}/v1/traces` }),
        scheduledDelayMillis: 1_000,
      }),
    ],
  });
  api.context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  api.propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  api.trace.setGlobalTracerProvider(provider);
  switchTracing(true);
  log.info({ endpoint }, 'traces are sent');
  return {
    close: async () => {
      await provider.forceFlush({ timeoutMillis: closeMilliseconds }).catch(() => undefined);
    },
  };
}

/** Traces that nobody takes are lost, and are no reason to say so again and again. */
function quietly(log: Logger) {
  let toldAt = -Infinity;
  const tell = (reason: string) => {
    const again = performance.now() - toldAt < tellEverySeconds * 1_000;
    if (!again) toldAt = performance.now();
    log[again ? 'debug' : 'warn']({ reason }, 'traces are not taken, and are lost');
  };
  const nothing = () => undefined;
  return { error: tell, warn: tell, info: nothing, debug: nothing, verbose: nothing };
}
