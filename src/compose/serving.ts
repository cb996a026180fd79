// The half of RDG that answers: store, its feeder, queries and HTTP, wired to a pipeline that may run on another thread.
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Registry } from "prom-client";
import type { Clock, Timers } from "../core/clock.ts";
import { RdgError, describeError } from "../core/errors.ts";
import { secretBytes } from "../core/random.ts";
import { Slots } from "../core/slots.ts";
import { scanExport } from "../export/scan-export.ts";
import { type Graph, version } from "../index.ts";
import { formatPosition } from "../model/position.ts";
import { registerMetrics } from "../observe/metrics.ts";
import type { Status, Verification } from "../observe/port.ts";
import { registerServingMetrics } from "../observe/serving-metrics.ts";
import { verifyAgainstLog } from "../observe/store-verification.ts";
import { openTopic } from "../observe/topic-reader.ts";
import { Enricher } from "../query/enrichment/enricher.ts";
import { createQueries, traversalsMax } from "../query/queries.ts";
import { servedStore } from "../query/served-store.ts";
import { exportRoutes } from "../serve/export-routes.ts";
import { registerRegistryRoutes } from "../serve/registry-routes.ts";
import { createServer } from "../serve/server.ts";
import { type TopicOperations, topicRoutes } from "../serve/topic-routes.ts";
import { StoreFeeder } from "../store/store-feeder.ts";
import { type OpenedAccess, openServerAccess, recordDeployment } from "./access.ts";
import { openDataStore, openScratch } from "./embedded-store.ts";
import { grpcBeside } from "./grpc.ts";
import type { Logger } from "./logger.ts";
import { measure } from "./measures.ts";
import { connectionsAllowed } from "./open-files.ts";
import type { PipelineParts } from "./pipeline.ts";
import { type Phase, readinessOf } from "./readiness.ts";
import { recordViews } from "./record-views.ts";
import { openConfiguredTracer, serverSettingsOf } from "./server-parts.ts";
import { type ServingFigures, servingFigures } from "./serving-figures.ts";
import type { EmbeddedSettings } from "./settings.ts";
import { topicStatus } from "./topic-status.ts";
import { typeTopicsOf } from "./topics.ts";
import { watchQueries } from "./watched-queries.ts";

export interface ServingOptions {
  readonly graph: Graph;
  readonly settings: EmbeddedSettings;
  readonly pipeline: PipelineParts;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Called once when serving cannot go on. */
  readonly onFailure: (error: unknown) => void;
}

export interface Serving {
  /** Takes requests from now on. */
  listen(): Promise<{ readonly url: string; readonly grpc?: string }>;
  /** Catches up with the log and starts the jobs. */
  start(): Promise<void>;
  /** Reads keys and certificates anew, now. */
  reload(): Promise<void>;
  /** Takes no more requests and answers those in flight. */
  closeServer(): Promise<void>;
  /** Applies what is still in the log, writes a checkpoint, closes the store. */
  closeStore(): Promise<void>;
}

export async function openServing(options: ServingOptions): Promise<Serving> {
  const metrics = new Registry();
  const access = await openServerAccess({ ...options, model: options.pipeline.model, metrics });
  try {
    return await openWith(access, metrics, options);
  } catch (error) {
    await access.close();
    throw error;
  }
}

async function openWith(access: OpenedAccess, metrics: Registry, options: ServingOptions): Promise<Serving> {
  const { graph, settings, pipeline, clock, timers, logger } = options;
  const { model } = pipeline;
  const [typeTopic] = typeTopicsOf(model);
  const store = await openDataStore(pipeline, settings, options);
  const cached = { cacheBytesMax: settings["serve.cache"], cacheTtlMs: settings["serve.cacheTtl"] };
  const served = servedStore({ store, model, clock, timers, ...cached });
  const enricher = new Enricher({
    enrichments: graph.enrichments.values(),
    model,
    clock,
    timers,
    notice: (enrichment, error) => logger.warn({ enrichment }, `nodes lack an enrichment: ${describeError(error)}`),
  });
  const feeder = new StoreFeeder({
    log: pipeline.log,
    store: served.store,
    timers,
    typeTopic: typeTopic!,
    onApplied: (offset) => void pipeline.control.applied(offset).catch(() => undefined),
    onBlocked(cause) {
      if (cause === undefined) logger.info("the store goes on");
      else logger.warn(`the store takes no more: ${describeError(cause)}`);
      const refusal =
        cause === undefined
          ? undefined
          : { kind: cause.kind, code: cause.code, message: cause.message, hint: cause.hint };
      void pipeline.control.setStoreRefusal(refusal).catch(() => undefined);
    },
    onFailure: options.onFailure,
  });
  const startedMs = clock.monotonicMs();
  let phase: Phase = "catching up";
  let grpcAddress: string | undefined;
  const verifyStore = (): Promise<Verification> =>
    feeder.still(() =>
      verifyAgainstLog({
        model,
        log: pipeline.log,
        clock,
        store,
        typeTopic: typeTopic!,
        openScratch: () => openScratch(model, settings, options),
      }),
    );
  const status = async (): Promise<Status> => {
    const { jobs, gateway, log, refusing } = await pipeline.control.status();
    const topics = await Promise.all((await pipeline.log.topics()).map(({ name }) => topicStatus(pipeline.log, name)));
    const [statistics, applied, [bounds]] = await Promise.all([
      store.statistics(),
      store.applied(),
      pipeline.log.bounds(typeTopic!),
    ]);
    return {
      graph: model.name,
      fingerprint: graph.fingerprint,
      ready: phase === "serving",
      ...(grpcAddress === undefined ? {} : { grpc: grpcAddress }),
      ...(refusing === undefined ? {} : { refusing }),
      uptimeMs: clock.monotonicMs() - startedMs,
      topics,
      jobs,
      store: {
        ...statistics,
        lagTransactions: Math.max(0, bounds!.next - 1 - feeder.appliedOffset),
        applied: [...applied.sources].map(([source, offset]) => `${source}@${offset}`),
        inputs: applied.inputs.map(formatPosition),
      },
      gateway,
      log,
    };
  };
  const views = recordViews(model, pipeline.registry);
  const traversals = new Slots(traversalsMax, timers);
  const queries = createQueries({
    model,
    store: served.store,
    enrichments: enricher,
    clock,
    waitFor: (positions, timeoutMs, signal) => feeder.waitFor(positions, timeoutMs, signal),
    continuationKey: await continuationKey(settings.data),
    limits: { timeoutMsDefault: settings["serve.timeout"], timeoutMsMax: settings["serve.timeout"] },
    slots: traversals,
    ...watchQueries(metrics, logger, settings["serve.slow"]),
  });
  const connectionsMax = await connectionsAllowed();
  const tracer = await openConfiguredTracer(settings, model.name, clock);
  const shared = {
    model,
    clock,
    timers,
    access: access.access,
    tls: access.tls,
    gateway: pipeline.gateway,
    queries,
    readiness: () => readinessOf(phase, () => pipeline.control.status()),
    metrics,
    onError: (error: unknown, request: { readonly method: string; readonly url: string; readonly id?: string }) =>
      logger.error({ requestId: request.id, method: request.method, url: request.url }, describeError(error)),
  };
  const server = createServer({
    ...shared,
    enrichments: [...graph.enrichments.values()].map((each) => each.model),
    tracer,
    status,
    version,
    queryTimeoutMsMax: settings["serve.timeout"],
    routes: [
      (app, bounds) => registerRegistryRoutes(app, pipeline.registry, bounds),
      (app, bounds) => {
        const open: TopicOperations["openTopic"] = (query, signal) =>
          openTopic({ log: pipeline.log, model, viewOf: views }, query, signal);
        topicRoutes(app, { openTopic: open, verifyStore }, bounds);
      },
      (app, bounds) => {
        const { fingerprint } = graph;
        exportRoutes(app, { scan: (signal) => scanExport({ model, fingerprint, store, clock }, signal) }, bounds);
      },
    ],
    settings: serverSettingsOf(settings, connectionsMax),
  });
  const grpc = grpcBeside({ ...shared, tracer, bounds: server.bounds }, settings, connectionsMax);
  const measured = {
    pipeline,
    store,
    feeder,
    server,
    grpc,
    access,
    traversals,
    settings,
    clock,
    startedMs,
    typeTopic: typeTopic!,
  };
  const serves = (): ServingFigures => servingFigures(served.figures(), enricher.figures);
  registerMetrics(metrics, () => measure({ ...measured, ready: phase === "serving", serves: serves() }));
  registerServingMetrics(metrics, serves);
  return {
    async listen() {
      const { url, port } = await server.listen();
      const listening = await grpc?.listen(port);
      grpcAddress = listening?.address;
      return { url, ...(grpcAddress === undefined ? {} : { grpc: grpcAddress }) };
    },
    async start() {
      await recordDeployment(access.audit, settings.data, graph).catch((error: unknown) =>
        logger.error(describeError(error)),
      );
      await feeder.start();
      await pipeline.control.start();
      phase = "serving";
    },
    reload: () => access.reload(),
    async closeServer() {
      phase = "closing";
      await Promise.all([server.close(), grpc?.close()]);
      await Promise.all([access.close(), tracer?.close()]);
    },
    async closeStore() {
      try {
        await feeder.finish();
      } finally {
        await store.close();
      }
    },
  };
}

/** Kept in the data folder, so that continuations survive a restart. @throws RdgError corrupt */
async function continuationKey(data: string): Promise<Uint8Array> {
  const folder = join(data, "keys");
  const path = join(folder, "continuation");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined) {
    const key = secretBytes(32);
    await writeFile(`${path}.tmp`, key, { mode: 0o600, flush: true });
    await rename(`${path}.tmp`, path);
    return key;
  }
  if (found.length === 32) return found;
  throw new RdgError("corrupt", "bad_key", "The key of continuation tokens is damaged.", {
    place: path,
    hint: "Delete the file: a new key is made, and continuations that were handed out end.",
  });
}
