// The servers of a process: the routes of its roles, and what every process tells about itself.
import type { Registry } from "prom-client";
import { RdgError, describeError } from "../../core/errors.ts";
import { systemRandom } from "../../core/random.ts";
import { Slots } from "../../core/slots.ts";
import { scanExport } from "../../export/scan-export.ts";
import { version } from "../../index.ts";
import { registerMetrics } from "../../observe/metrics.ts";
import type { Verification } from "../../observe/port.ts";
import { registerServingMetrics } from "../../observe/serving-metrics.ts";
import { verifyAgainstLog } from "../../observe/store-verification.ts";
import { openTopic } from "../../observe/topic-reader.ts";
import type { TierUse } from "../../query/cache/store.ts";
import { Enricher } from "../../query/enrichment/enricher.ts";
import type { Queries } from "../../query/port.ts";
import { createQueries, traversalsMax } from "../../query/queries.ts";
import { openRedisTier } from "../../query/redis/tier.ts";
import { servedStore } from "../../query/served-store.ts";
import { exportRoutes } from "../../serve/export-routes.ts";
import { registerRegistryRoutes } from "../../serve/registry-routes.ts";
import { createServer, type ServerRoutes } from "../../serve/server.ts";
import { topicRoutes } from "../../serve/topic-routes.ts";
import type { OpenedAccess } from "../access.ts";
import { openScratch } from "../embedded-store.ts";
import { grpcBeside } from "../grpc.ts";
import { connectionsAllowed } from "../open-files.ts";
import type { Phase } from "../readiness.ts";
import { recordViews } from "../record-views.ts";
import { openConfiguredTracer, serverSettingsOf } from "../server-parts.ts";
import { servingFigures } from "../serving-figures.ts";
import { watchQueries } from "../watched-queries.ts";
import type { ProcessOptions, ProcessParts } from "./process-parts.ts";
import { measureProcess, readinessOf, statusOf } from "./process-state.ts";
import type { ServedGraph } from "./served-graph.ts";

export interface ProcessServerOptions extends ProcessOptions {
  readonly parts: ProcessParts;
  readonly access: OpenedAccess;
  readonly metrics: Registry;
}

export interface ProcessServer {
  readonly server: { listen(): Promise<{ readonly url: string; readonly grpc?: string }> };
  /** What `/readyz` goes by. */
  readonly say: (phase: Phase) => void;
  /** Takes no more requests and answers those in flight. */
  readonly close: () => Promise<void>;
}

export async function openProcessServer(options: ProcessServerOptions): Promise<ProcessServer> {
  const { parts, access, metrics, settings, clock, timers, logger } = options;
  const { model } = parts.graph;
  const startedMs = clock.monotonicMs();
  let phase: Phase = "catching up";
  let grpcAddress: string | undefined;
  const traversals = new Slots(traversalsMax, timers);
  const notice = (problem: RdgError | undefined): void => {
    if (problem === undefined) logger.info("the cache server is in use");
    else logger.warn(describeError(problem));
  };
  const tier = await openRedisTier(settings, { clock, timers, random: systemRandom, notice });
  const queries = parts.served && openQueries(parts.served, tier, traversals, options);
  const connectionsMax = await connectionsAllowed();
  const tracer = await openConfiguredTracer(settings, model.name, clock);
  const shared = {
    model,
    clock,
    timers,
    access: access.access,
    tls: access.tls,
    gateway: parts.gateway,
    queries,
    readiness: () => readinessOf(phase, parts),
    metrics,
    onError: (error: unknown, request: { readonly method: string; readonly url: string; readonly id?: string }) =>
      logger.error({ requestId: request.id, method: request.method, url: request.url }, describeError(error)),
  };
  const since = (): number => clock.monotonicMs() - startedMs;
  const server = createServer({
    ...shared,
    tracer,
    status: () => statusOf(parts, { phase, grpcAddress, uptimeMs: since() }),
    version,
    queryTimeoutMsMax: settings["serve.timeout"],
    routes: routesOf(options),
    settings: serverSettingsOf(settings, connectionsMax),
  });
  const answers = parts.gateway !== undefined || queries !== undefined;
  const grpc = answers ? grpcBeside({ ...shared, tracer, bounds: server.bounds }, settings, connectionsMax) : undefined;
  const measured = { parts, server, grpc, access, traversals, settings };
  registerMetrics(metrics, () => measureProcess({ ...measured, phase, uptimeMs: since() }));
  return {
    server: {
      async listen() {
        const { url, port } = await server.listen();
        const listening = await grpc?.listen(port);
        grpcAddress = listening?.address;
        return { url, ...(grpcAddress === undefined ? {} : { grpc: grpcAddress }) };
      },
    },
    say(next) {
      phase = next;
    },
    async close() {
      await Promise.all([server.close(), grpc?.close()]);
      tier?.tier.close();
      await tracer?.close();
    },
  };
}

function openQueries(
  { store, waitFor, continuationKey }: ServedGraph,
  tier: TierUse | undefined,
  traversals: Slots,
  options: ProcessServerOptions,
): Queries {
  const { parts, metrics, settings, clock, timers, logger } = options;
  const { graph } = parts;
  const { model } = graph;
  const cached = { cacheBytesMax: settings["serve.cache"], cacheTtlMs: settings["serve.cacheTtl"] };
  const served = servedStore({ store, model, clock, timers, ...cached, ...(tier && { tier }) });
  const enricher = new Enricher({
    enrichments: graph.enrichments.values(),
    model,
    clock,
    timers,
    notice: (enrichment, error) => logger.warn({ enrichment }, `nodes lack an enrichment: ${describeError(error)}`),
  });
  registerServingMetrics(metrics, () => servingFigures(served.figures(), enricher.figures));
  return createQueries({
    model,
    store: served.store,
    enrichments: enricher,
    clock,
    waitFor,
    continuationKey,
    limits: {
      timeoutMsDefault: settings["serve.timeout"],
      timeoutMsMax: settings["serve.timeout"],
      eventsMayGrow: true,
    },
    slots: traversals,
    ...watchQueries(metrics, logger, settings["serve.slow"]),
  });
}

function routesOf(options: ProcessServerOptions): ServerRoutes[] {
  const { parts, clock } = options;
  const { roles, graph, log, registry, served } = parts;
  const { model, fingerprint } = graph;
  const routes: ServerRoutes[] = [];
  if (roles.has("registry")) routes.push((app, bounds) => registerRegistryRoutes(app, registry, bounds));
  if (served === undefined) return routes;
  const { store, still, typeTopic } = served;
  const viewOf = recordViews(model, registry);
  const verifyStore = async (): Promise<Verification> => {
    if (still === undefined) throw sharedStore();
    return await still(() =>
      verifyAgainstLog({
        model,
        log,
        clock,
        store,
        typeTopic,
        openScratch: () => openScratch(model, options.settings, options),
      }),
    );
  };
  routes.push(
    (app, bounds) =>
      topicRoutes(
        app,
        { openTopic: (query, signal) => openTopic({ log, model, viewOf }, query, signal), verifyStore },
        bounds,
      ),
    (app, bounds) =>
      exportRoutes(app, { scan: (signal) => scanExport({ model, fingerprint, store, clock }, signal) }, bounds),
  );
  return routes;
}

function sharedStore(): RdgError {
  return new RdgError("invalid", "store_not_local", "A store that processes share is not proven over HTTP.", {
    hint: "Compare its export with that of a replica: `rdg export --canonical`.",
  });
}
