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
import type { Clock } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { RequestSpan, Tracer } from "../port.ts";

export interface OpenTelemetryOptions {
  /** Of the collector, without a path: `http://127.0.0.1:4318`. */
  readonly endpoint: string;
  /** Of requests that come without a decision of their own, 0 to 1. */
  readonly ratio: number;
  readonly graph: string;
  readonly version: string;
  readonly clock: Clock;
}

/** Spans that wait to be sent; more are dropped. */
const queueMax = 2_048;
const sendEveryMs = 1_000;
const timeoutMs = 2_000;

type Parent = Parameters<Tracer["request"]>[1];

const getter: TextMapGetter<Parent> = {
  keys: () => ["traceparent", "tracestate"],
  get: (parent, name) => parent[name as keyof Parent],
};

export function openTracer({ endpoint, ratio, graph, version, clock }: OpenTelemetryOptions): Tracer {
  const url = urlOf(endpoint);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "rdg", "service.version": version, "rdg.graph": graph }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({ url: url, timeoutMillis: timeoutMs }),
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
      return new OtelSpan(tracer, clock, tracer.startSpan(name, { kind: SpanKind.SERVER }, context));
    },
    close: () => provider.shutdown().catch(() => undefined),
  };
}

/** @throws RdgError invalid, `bad_setting` */
function urlOf(endpoint: string): string {
  const url = URL.parse(endpoint);
  if (url !== null && (url.protocol === "http:" || url.protocol === "https:")) return new URL("/v1/traces", url).href;
  throw new RdgError("invalid", "bad_setting", `Setting "otel.endpoint" is ${JSON.stringify(endpoint)}.`, {
    hint: "Give the collector's address, such as http://127.0.0.1:4318.",
  });
}

class OtelSpan implements RequestSpan {
  readonly traceId: string;
  readonly #tracer: OtelTracer;
  readonly #clock: Clock;
  readonly #span: Span;

  constructor(tracer: OtelTracer, clock: Clock, span: Span) {
    this.#tracer = tracer;
    this.#clock = clock;
    this.#span = span;
    this.traceId = span.spanContext().traceId;
  }

  stage(name: string, ms: number, endedMsAgo: number): void {
    if (!this.#span.isRecording()) return;
    const endMs = this.#clock.now() - endedMsAgo;
    const context = trace.setSpan(ROOT_CONTEXT, this.#span);
    this.#tracer.startSpan(name, { startTime: endMs - ms }, context).end(endMs);
  }

  end(attributes: Readonly<Record<string, string | number>>, failed: boolean): void {
    this.#span.setAttributes(attributes);
    if (failed) this.#span.setStatus({ code: SpanStatusCode.ERROR });
    this.#span.end();
  }
}
