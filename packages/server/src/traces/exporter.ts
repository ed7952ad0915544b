/** Sends spans to a collector, by OpenTelemetry's own library: loaded only where traces are wanted. */
import { diag, DiagLogLevel, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

import { type Logger, sleep, systemClock } from "@lydian/kit";

import type { Span } from "./spans.ts";
import type { SpanSink } from "./tracer.ts";

/** Spans that wait to be sent; what comes beyond is dropped. */
const mostWaiting = 8_192;

/** Those that have ended meanwhile are sent together. */
const sendEveryMs = 1_000;

/** What the last ones may take when the server ends. */
const lastWordsMs = 2_000;

/** `url`: of a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318. Headers are taken from OTEL_EXPORTER_OTLP_HEADERS. */
export function openExporter(url: string, version: string, log: Logger): SpanSink {
  const say = (text: string): void => log.warn({ reason: text }, "traces could not be sent");
  const nothing = (): void => {};
  const logger = { error: say, warn: say, info: nothing, debug: nothing, verbose: nothing };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const ids = { traceId: "", spanId: "" };
  const exporter = new OTLPTraceExporter({ url: `${url}/v1/traces` });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "lydian", "service.version": version }),
    idGenerator: { generateTraceId: () => ids.traceId, generateSpanId: () => ids.spanId },
    spanProcessors: [
      new BatchSpanProcessor({ exporter, maxQueueSize: mostWaiting, scheduledDelayMillis: sendEveryMs }),
    ],
  });
  const tracer = provider.getTracer("lydian", version);
  return {
    put: ({ traceId, id, parentId, name, kind, start, end, attributes, error }: Span) => {
      Object.assign(ids, { traceId, spanId: id });
      const parent = parentId && { traceId, spanId: parentId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
      const within = parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
      const spanKind = kind === "call" ? SpanKind.SERVER : SpanKind.INTERNAL;
      const span = tracer.startSpan(name, { startTime: start, kind: spanKind, attributes }, within);
      if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
      span.end(end);
    },
    close: async () => {
      const late = sleep(systemClock, lastWordsMs).then(() => log.warn({}, "the last traces were not sent in time"));
      await Promise.race([provider.shutdown(), late]);
    },
  };
}
