// The HTTP server: routes over the ports it is given, guards before them, problem+json for whatever fails, a bounded and graceful end.
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Registry } from "prom-client";
import type { Clock, Timers } from "../core/clock.ts";
import { didYouMean } from "../core/did-you-mean.ts";
import { RdgError } from "../core/errors.ts";
import type { Gateway } from "../gateway/port.ts";
import type { AskedEnrichmentModel, GraphModel } from "../model/definition.ts";
import type { Tracer } from "../observe/port.ts";
import type { Queries } from "../query/port.ts";
import { guardAccess } from "./auth/guard.ts";
import { openAccess } from "./auth/open-access.ts";
import type { Access } from "./auth/port.ts";
import type { Tls } from "./auth/tls.ts";
import { keepOpenAfterRefusal } from "./bodies.ts";
import { ByteBudget } from "./byte-budget.ts";
import { cloudEventRoutes } from "./cloudevents/cloudevent-routes.ts";
import { answerCors } from "./cors.ts";
import { Admission, guardNames, overloaded, requireProtection } from "./guards.ts";
import { ingestRoutes } from "./ingest-routes.ts";
import { LatencyLimit } from "./latency-limit.ts";
import { OpenRequests } from "./malformed.ts";
import { describeRoutes } from "./openapi/describe-routes.ts";
import { openapiRoute } from "./openapi/openapi-route.ts";
import { requestLimits } from "./openapi/traversal-schemas.ts";
import { type Readiness, operationRoutes } from "./operation-routes.ts";
import { isOurFault, problemOf, problemType, retryAfterOf } from "./problems.ts";
import { queryRoutes } from "./query-routes.ts";
import { questionRoutes } from "./question-routes.ts";
import { requestIds } from "./request-ids.ts";
import { measureRequests } from "./request-metrics.ts";
import { traceRequests } from "./request-spans.ts";
import { type ServerSettings, defaultServerSettings } from "./settings.ts";

const idleLookMs = 50;

/** More routes on the same server: they have its guards and its way of telling errors, and their own content type parsers. */
export type ServerRoutes = (app: FastifyInstance, bounds: ServerBounds) => void | Promise<void>;

/** What all requests share. Every bound has its fill beside it. */
export interface ServerBounds {
  readonly connectionsMax: number;
  /** Bodies of events and inputs; those of everything else. */
  readonly eventBodies: ByteBudget;
  readonly otherBodies: ByteBudget;
  /** Answers of queries, until they are taken. */
  readonly answers: ByteBudget;
  readonly events: Admission;
  readonly eventBytes: LatencyLimit;
  readonly queries: Admission;
  readonly waiters: Admission;
  readonly streams: Admission;
  /** Queries that are answered line by line. */
  readonly queryStreams: Admission;
  /** Proofs of the store: each builds the graph anew. */
  readonly proofs: Admission;
  /** Status, metrics, registry. */
  readonly others: Admission;
}

export interface ServerOptions {
  readonly model: GraphModel;
  /** Of the definition, beside its model: told with it. */
  readonly enrichments?: readonly AskedEnrichmentModel[];
  readonly clock: Clock;
  readonly timers: Timers;
  /** Who may ask what. Missing: everybody everything, on loopback only. */
  readonly access?: Access | undefined;
  /** Missing: unencrypted. */
  readonly tls?: Tls | undefined;
  /** What is missing is not served. */
  readonly gateway?: Gateway | undefined;
  readonly queries?: Queries | undefined;
  readonly status?: (() => unknown) | undefined;
  readonly readiness?: (() => Readiness | Promise<Readiness>) | undefined;
  readonly metrics?: Registry | undefined;
  /** What the server says about itself in its OpenAPI description: its version, and the longest time that a query may take. */
  readonly version?: string;
  readonly queryTimeoutMsMax?: number;
  readonly routes?: readonly ServerRoutes[];
  /** Told of errors that are not the caller's. */
  readonly onError?: (
    error: unknown,
    request: { readonly method: string; readonly url: string; readonly id: string },
  ) => void;
  /** Missing: requests are not traced. */
  readonly tracer?: Tracer | undefined;
  readonly settings?: Partial<ServerSettings>;
}

export interface HttpServer {
  /** Resolves when requests are taken. @throws RdgError conflict when the port is taken */
  listen(): Promise<{ readonly url: string; readonly port: number }>;
  /** Takes no more requests, answers those in flight, for at most `closeTimeoutMs`. */
  close(): Promise<void>;
  readonly bounds: ServerBounds;
  /** Open connections now. */
  connections(): Promise<number>;
  /** For tests that need no port. */
  readonly app: FastifyInstance;
}

export function createServer(options: ServerOptions): HttpServer {
  const settings: ServerSettings = { ...defaultServerSettings, ...options.settings };
  const { access = openAccess, tls } = options;
  const app = newApp(settings, tls);
  const bounds = boundsOf(settings, options.clock);
  const limits = { ...requestLimits, timeoutMsMax: options.queryTimeoutMsMax ?? requestLimits.timeoutMsMax };
  const described = describeRoutes(app, options.model, limits);
  const known: { readonly method: string; readonly pattern: string }[] = [];
  app.addHook("onRoute", ({ method, url }) => {
    for (const each of [method].flat()) known.push({ method: each, pattern: url });
  });
  app.addHook("onSend", (request, reply, payload, done) => {
    reply.header("x-content-type-options", "nosniff").header("cache-control", "no-store");
    reply.header("x-request-id", request.id);
    cutStalled(reply, settings.stallTimeoutMs);
    done(null, payload);
  });
  const notFound = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const path = request.url.split("?")[0]!;
    const allowed = [...new Set(known.filter(({ pattern }) => matches(pattern, path)).map(({ method }) => method))];
    if (allowed.length > 0) reply.header("allow", allowed.join(", "));
    return sendProblem(reply, allowed.length > 0 ? wrongMethod(request.method, allowed) : noRoute(path, known));
  };
  app.setErrorHandler((error, request, reply) => {
    // What is wrong with the body of a request that leads nowhere does not matter.
    if (request.is404 && !(error instanceof RdgError)) return notFound(request, reply);
    if (isOurFault(error)) options.onError?.(error, request);
    keepOpenAfterRefusal(request, reply);
    return sendProblem(reply, error);
  });
  app.setNotFoundHandler(notFound);
  if (options.tracer) traceRequests(app, options.tracer);
  guardNames(app, settings);
  answerCors(app, settings.corsOrigins);
  if (options.metrics) measureRequests(app, options.metrics, options.clock);
  guardAccess(app, access);
  const { gateway, queries, model, clock } = options;
  // Each in its own scope: content type parsers differ.
  if (gateway) {
    const own = { bytesMax: settings.eventBytesMax, bodies: bounds.eventBodies };
    const admissions = { admission: bounds.events, latencyLimit: bounds.eventBytes };
    const ingest = { gateway, model, clock, ...own, ...admissions };
    void app.register(async (scope) => ingestRoutes(scope, ingest));
    void app.register(async (scope) => cloudEventRoutes(scope, ingest));
  }
  if (queries) {
    const own = { bytesMax: settings.queryBytesMax, bodies: bounds.otherBodies, answers: bounds.answers };
    const admissions = { admission: bounds.queries, waiting: bounds.waiters };
    const { queryStreams: streams } = bounds;
    void app.register(async (scope) => queryRoutes(scope, { queries, streams, ...own, ...admissions }));
    void app.register(async (scope) => questionRoutes(scope, { questions: queries, ...own, ...admissions }));
  }
  void app.register(async (scope) => operationRoutes(scope, options, bounds.others));
  void app.register(async (scope) => openapiRoute(scope, described, options.version ?? "0"));
  for (const routes of options.routes ?? []) void app.register(async (scope) => routes(scope, bounds));
  return {
    app,
    bounds,
    connections: () =>
      new Promise((resolve, reject) => {
        app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
      }),
    listen: () => listen(app, settings, access, tls),
    close: () => close(app, settings, options.timers),
  };
}

function boundsOf(settings: ServerSettings, clock: Clock): ServerBounds {
  const budget = (bytesMax: number, of: string): ByteBudget => {
    const refusal = (): RdgError => overloaded(`More than ${bytesMax} bytes of ${of} are in flight.`);
    return new ByteBudget({ bytesMax, graceMs: settings.slowMs, clock, refusal });
  };
  return {
    connectionsMax: settings.connectionsMax,
    eventBodies: budget(settings.bytesInFlightMax, "events"),
    otherBodies: budget(settings.otherBytesInFlightMax, "requests"),
    answers: budget(settings.answerBytesMax, "answers"),
    events: new Admission("requests with events", settings.eventsInFlightMax),
    eventBytes: new LatencyLimit({
      bytesMax: settings.bytesInFlightMax,
      targetMs: settings.eventLatencyMs,
      clock,
      refusal: () => overloaded("More events are under way than are durable in time."),
    }),
    queries: new Admission("queries", settings.queriesInFlightMax),
    waiters: new Admission("queries that wait for positions", settings.waitersMax),
    streams: new Admission("readers of topics", settings.streamsMax),
    queryStreams: new Admission("streamed answers", settings.queryStreamsMax),
    proofs: new Admission("proofs of the store", 1),
    others: new Admission("requests", settings.othersInFlightMax),
  };
}

/** Ends a connection that has bytes of its answer to take and takes none. A stream that has nothing to say just now is not meant. */
function cutStalled({ raw }: FastifyReply, stallTimeoutMs: number): void {
  raw.setTimeout(stallTimeoutMs, () => {
    const { socket } = raw;
    if (socket && socket.writableLength > 0) socket.destroy();
  });
}

function newApp(settings: ServerSettings, tls: Tls | undefined): FastifyInstance {
  const requests = new OpenRequests();
  const http = {
    // A reader of a topic that is gone without a word is noticed, too.
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
    // The guard says it, in a way that can be read.
    requireHostHeader: false,
    headersTimeout: settings.headersTimeoutMs,
    connectionsCheckingInterval: Math.min(5_000, settings.headersTimeoutMs / 2),
    maxHeaderSize: 16 * 1024,
  };
  const app = fastify({
    logger: false,
    genReqId: requestIds(),
    bodyLimit: settings.queryBytesMax,
    requestTimeout: settings.requestTimeoutMs,
    keepAliveTimeout: 65_000,
    forceCloseConnections: "idle",
    // Ids have up to 1 KiB, each byte three characters when percent-encoded.
    routerOptions: { maxParamLength: 4 * 1024 },
    ...(tls === undefined
      ? { http }
      : { https: { ...http, ...tls.serverOptions(), handshakeTimeout: settings.headersTimeoutMs } }),
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, error),
    clientErrorHandler: (error, socket) => requests.answerMalformed(error, socket),
  });
  app.server.maxConnections = settings.connectionsMax;
  tls?.keepCurrent(app.server);
  app.addHook("onRequest", (request, reply, done) => {
    requests.add(request.raw, reply.raw);
    done();
  });
  return app;
}

function sendProblem(reply: FastifyReply, error: unknown): FastifyReply {
  const problem = problemOf(error);
  const retryAfter = retryAfterOf(error);
  if (retryAfter !== undefined) reply.header("retry-after", retryAfter);
  return reply.code(problem.status).type(problemType).send(JSON.stringify(problem));
}

function wrongMethod(method: string, allowed: readonly string[]): RdgError {
  const hint = `Use ${allowed.join(" or ")}.`;
  return new RdgError("invalid", "method_not_allowed", `${method} is not possible here.`, { hint });
}

/** Says what there is instead. */
function noRoute(path: string, known: readonly { readonly pattern: string }[]): RdgError {
  const patterns = new Set(known.map(({ pattern }) => pattern.replaceAll(/:(\w+)/g, "{$1}")));
  return new RdgError("not_found", "unknown_path", "There is nothing at this path.", {
    place: path.slice(0, 200),
    hint: didYouMean(path, patterns, 40),
  });
}

function matches(pattern: string, path: string): boolean {
  const [expected, given] = [pattern.split("/"), path.split("/")];
  return expected.length === given.length && expected.every((part, i) => part.startsWith(":") || part === given[i]);
}

async function listen(
  app: FastifyInstance,
  { host, port, plaintext }: ServerSettings,
  access: Access,
  tls: Tls | undefined,
): Promise<{ url: string; port: number }> {
  requireProtection(host, { authenticated: access.required, encrypted: tls !== undefined || plaintext });
  try {
    // While the thread is busy, connections wait in the system instead of being dropped.
    await app.listen({ host, port, backlog: 4096 });
  } catch (error) {
    const { code } = error as { readonly code?: string };
    if (code !== "EADDRINUSE" && code !== "EACCES") throw error;
    throw new RdgError("conflict", "port_taken", `Port ${port} of ${host} cannot be listened on.`, {
      place: `${host}:${port}`,
      hint:
        code === "EACCES"
          ? "Ports below 1024 need rights; choose another."
          : "Something else listens there: stop it, or choose another port.",
      cause: error,
    });
  }
  const address = app.server.address();
  const taken = typeof address === "object" && address !== null ? address.port : port;
  return {
    url: `${tls === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${taken}`,
    port: taken,
  };
}

async function close(app: FastifyInstance, settings: ServerSettings, timers: Timers): Promise<void> {
  const cancel = timers.after(settings.closeTimeoutMs, () => app.server.closeAllConnections());
  const closed = new AbortController();
  void closeIdleConnections(app, timers, closed.signal);
  try {
    await app.close();
  } finally {
    cancel();
    closed.abort();
  }
}

/** A connection that has its last answer while the server closes would stay open for as long as its client likes. */
async function closeIdleConnections(app: FastifyInstance, timers: Timers, closed: AbortSignal): Promise<void> {
  while (!closed.aborted) {
    await timers.sleep(idleLookMs, closed).catch(() => undefined);
    app.server.closeIdleConnections();
  }
}
