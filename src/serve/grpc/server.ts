// The gRPC server: rdg.v1, health and reflection over the ports it is given, within the bounds that it shares with HTTP; a bounded and graceful end.
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { Registry } from "prom-client";
import type { Clock, Timers } from "../../core/clock.ts";
import type { Gateway } from "../../gateway/port.ts";
import type { GraphModel } from "../../model/definition.ts";
import type { Tracer } from "../../observe/port.ts";
import type { Queries } from "../../query/port.ts";
import { openAccess } from "../auth/open-access.ts";
import type { Access, Need } from "../auth/port.ts";
import type { Tls } from "../auth/tls.ts";
import { ByteBudget } from "../byte-budget.ts";
import { Admission, overloaded, requireProtection } from "../guards.ts";
import type { Readiness } from "../operation-routes.ts";
import type { ServerBounds } from "../server.ts";
import { Calls } from "./calls.ts";
import { Connections } from "./connections.ts";
import { graphService } from "./graph-service.ts";
import { Guard } from "./guard.ts";
import { healthService } from "./health-service.ts";
import { ingestService } from "./ingest-service.ts";
import { reflectionService } from "./reflection-service.ts";
import type { Handler } from "./served-call.ts";
import {
  addHandlers,
  graphMethods,
  healthMethods,
  ingestMethods,
  reflectionAlphaMethods,
  reflectionMethods,
} from "./services.ts";
import { type GrpcSettings, defaultGrpcSettings } from "./settings.ts";

export interface GrpcServerOptions {
  readonly model: GraphModel;
  readonly clock: Clock;
  readonly timers: Timers;
  /** What is missing is not served. */
  readonly gateway?: Gateway | undefined;
  readonly queries?: Queries | undefined;
  readonly readiness?: (() => Readiness | Promise<Readiness>) | undefined;
  /** Those of the HTTP server: both together keep to them. */
  readonly bounds: ServerBounds;
  /** Open when missing. */
  readonly access?: Access | undefined;
  /** Without, connections are not encrypted. */
  readonly tls?: Tls | undefined;
  readonly metrics?: Registry | undefined;
  readonly tracer?: Tracer | undefined;
  /** Told of errors that are not the caller's. */
  readonly onError?:
    | ((error: unknown, request: { readonly method: string; readonly url: string; readonly id?: string }) => void)
    | undefined;
  readonly settings?: Partial<GrpcSettings>;
}

export interface GrpcServer {
  /** Resolves when calls are taken. @throws RdgError conflict when the port is taken; invalid, `not_loopback` */
  listen(): Promise<{ readonly address: string; readonly port: number }>;
  /** Takes no more calls, answers those in flight, for at most `closeTimeoutMs`. */
  close(): Promise<void>;
  readonly bounds: GrpcBounds;
}

/** What is bounded beside what HTTP shares. */
export interface GrpcBounds {
  readonly connections: () => number;
  readonly connectionsMax: number;
  readonly receiving: ByteBudget;
  readonly slowReaders: Admission;
  readonly longCalls: Admission;
}

const needs: ReadonlyMap<string, Need> = new Map<string, Need>([
  ...Object.values(graphMethods).map(({ path }): [string, Need] => [path, { scope: "read" }]),
  ...Object.values(ingestMethods).map(({ path }): [string, Need] => [path, { scope: "produce" }]),
  ...Object.values(healthMethods).map(({ path }): [string, Need] => [path, { scope: "open" }]),
]);

const slowReadersMax = 64;

export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  const settings: GrpcSettings = { ...defaultGrpcSettings, ...options.settings };
  const { clock, timers, access = openAccess, metrics, onError, bounds: shared } = options;
  const bounds = boundsOf(settings, clock, () => connections.count);
  const handlers = new Map<string, Handler>();
  const guard = new Guard({
    access,
    needs,
    receiving: bounds.receiving,
    messageBytesMax: settings.messageBytesMax,
    connections: () => connections,
    tracer: options.tracer,
    handlers,
  });
  const server = new Server({
    "grpc.enable_channelz": 0,
    "grpc.max_receive_message_length": settings.messageBytesMax,
    // Answers are bounded by what they are made of.
    "grpc.max_send_message_length": -1,
    "grpc.max_concurrent_streams": settings.callsPerConnectionMax,
    "grpc.keepalive_time_ms": settings.keepaliveMs,
    "grpc.keepalive_timeout_ms": settings.keepaliveTimeoutMs,
    interceptors: [guard.interceptor],
  });
  // Encrypted or not: what is handed over is decrypted.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const connections = new Connections(injector, { settings, clock, timers, tls: options.tls });
  const calls = new Calls({
    clock,
    access,
    answers: shared.answers,
    connections: () => connections,
    timeoutMsMax: settings.timeoutMsMax,
    metrics,
    onError,
  });
  const closing = new AbortController();
  addServices(server, handlers, calls, options, settings, bounds, closing.signal);
  return {
    bounds,
    async listen() {
      const encrypted = options.tls !== undefined || settings.plaintext;
      requireProtection(settings.host, { authenticated: access.required, encrypted });
      return connections.listen();
    },
    async close() {
      connections.stopListening();
      closing.abort();
      const cancel = timers.after(settings.closeTimeoutMs, () => connections.destroy());
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      // The library takes sessions that only begin to close for closed ones: Node closes them together with their server.
      await connections.ended();
      cancel();
      connections.destroy();
    },
  };
}

function addServices(
  server: Server,
  handlers: Map<string, Handler>,
  calls: Calls,
  { model, gateway, queries, bounds: shared, readiness = () => ({ ready: true }), timers }: GrpcServerOptions,
  settings: GrpcSettings,
  { slowReaders, longCalls }: GrpcBounds,
  closing: AbortSignal,
): void {
  const services: string[] = [];
  if (queries) {
    services.push("rdg.v1.GraphService");
    const graph = graphService(calls, { model, queries, bounds: shared, slowReaders, settings });
    addHandlers(server, handlers, graphMethods, graph);
  }
  if (gateway) {
    services.push("rdg.v1.IngestService");
    addHandlers(server, handlers, ingestMethods, ingestService(calls, { model, gateway, bounds: shared }));
  }
  const { healthIntervalMs: intervalMs } = settings;
  server.addService(
    healthMethods,
    healthService({ readiness, timers, services: [...services], longCalls, intervalMs, closing }),
  );
  services.push(
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
  );
  const reflection = reflectionService({ services, longCalls });
  server.addService(reflectionMethods, reflection);
  server.addService(reflectionAlphaMethods, reflection);
}

function boundsOf(settings: GrpcSettings, clock: Clock, connections: () => number): GrpcBounds {
  const { connectionsMax, receivingMax, messageBytesMax, slowMs, longCallsMax } = settings;
  return {
    connections,
    connectionsMax,
    receiving: new ByteBudget({
      bytesMax: receivingMax * messageBytesMax,
      graceMs: slowMs,
      clock,
      refusal: () => overloaded(`${receivingMax} requests are being received already.`),
    }),
    slowReaders: new Admission("traversals whose readers do not keep up", slowReadersMax),
    longCalls: new Admission("watching calls", longCallsMax),
  };
}
