// Spans to an OpenTelemetry collector, OTLP over HTTP. Imported only where a collector is configured: loading it takes time that nobody else should spend.
import {
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type Tracer as OtelTracer,
  trace,
} from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { RequestSpan, Tracer } from "../port.ts";

export interface OpenTelemetryOptions {
  /** Of the collector, without a path: `http://127.0.0.1:4318`. */
  readonly endpoint: string;
  /** Of requests that come without a decision of their own, 0 to 1. */
  readonly ratio: number;
  readonly graph: string;
  readonly version: string;
}

/** Spans that wait to be sent; more are dropped. */
const queueMax = 2_048;
const sendEveryMs = 1_000;
const timeoutMs = 5_000;

type Parent = Parameters<Tracer["request"]>[1];

const getter: TextMapGetter<Parent> = {
  keys: () => ["traceparent", "tracestate"],
  get: (parent, name) => parent[name as keyof Parent],
};

export function openTracer({ endpoint, ratio, graph, version }: OpenTelemetryOptions): Tracer {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "rdg", "service.version": version, "rdg.graph": graph }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({ url: new URL("/v1/traces", endpoint).href, timeoutMillis: timeoutMs }),
        maxQueueSize: queueMax,
        scheduledDelayMillis: sendEveryMs,
        exportTimeoutMillis: timeoutMs,
      }),
    ],
  });
  const tracer = provider.getTracer("rdg", version);
  const propagator = new W3CTraceContextPropagator();
  return {
    request(name, parent) {
      const context = propagator.extract(ROOT_CONTEXT, parent, getter);
      return new OtelSpan(tracer, tracer.startSpan(name, { kind: SpanKind.SERVER }, context));
    },
    close: () => provider.shutdown().catch(() => undefined),
  };
}

class OtelSpan implements RequestSpan {
  readonly traceId: string;
  readonly #tracer: OtelTracer;
  readonly #span: Span;

  constructor(tracer: OtelTracer, span: Span) {
    this.#tracer = tracer;
    this.#span = span;
    this.traceId = span.spanContext().traceId;
  }

  stage(name: string, ms: number, endedMsAgo: number): void {
    if (!this.#span.isRecording()) return;
    const endMs = Date.now() - endedMsAgo;
    const context = trace.setSpan(ROOT_CONTEXT, this.#span);
    this.#tracer.startSpan(name, { startTime: endMs - ms }, context).end(endMs);
  }

  end(attributes: Readonly<Record<string, string | number>>, failed: boolean): void {
    this.#span.setAttributes(attributes);
    if (failed) this.#span.setStatus({ code: SpanStatusCode.ERROR });
    this.#span.end();
  }
}
