// The embedded product put together for tests, over ports that they choose: the composition's own pipeline, and what serves it without HTTP.
import { createLogger } from "../../src/compose/logger.ts";
import { assemblePipeline, type Pipeline } from "../../src/compose/pipeline.ts";
import { embeddedSettings, type EmbeddedSettings } from "../../src/compose/settings.ts";
import { topicsOf, typeTopicsOf } from "../../src/compose/topics.ts";
import type { Clock, Timers } from "../../src/core/clock.ts";
import type { RdgError } from "../../src/core/errors.ts";
import { resolveSettings } from "../../src/core/settings.ts";
import type { Turns } from "../../src/core/turns.ts";
import type { Graph } from "../../src/index.ts";
import type { EmbeddedLog } from "../../src/log/embedded/log.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import type { Queries } from "../../src/query/port.ts";
import { createQueries } from "../../src/query/queries.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import type { Store } from "../../src/store/port.ts";
import { StoreFeeder } from "../../src/store/store-feeder.ts";

export interface LineParts {
  readonly graph: Graph;
  readonly log: EmbeddedLog;
  /** Stays open when the line is closed. */
  readonly registry: SchemaRegistry;
  readonly store: Store;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turns: Turns;
  readonly settings?: Partial<EmbeddedSettings>;
  /** Called when serving cannot go on. */
  readonly onFailure?: (error: unknown) => void;
  readonly onApplied?: (offset: number) => void;
}

export interface Line extends Pipeline {
  readonly store: Store;
  readonly feeder: StoreFeeder;
  readonly queries: Queries;
}

const logger = createLogger("silent");

/** Catches up with the log and starts the jobs. */
export async function openLine(parts: LineParts): Promise<Line> {
  const { graph, log, store, clock, timers, turns } = parts;
  const settings = { ...resolveSettings(embeddedSettings, {}).values, ...parts.settings };
  await log.ensureTopics(topicsOf(graph.model));
  const pipeline = await assemblePipeline({ graph, settings, clock, timers, logger }, log, keptOpen(parts.registry));
  const feeder = new StoreFeeder({
    log,
    store,
    timers,
    typeTopic: typeTopicsOf(graph.model)[0]!,
    onApplied(offset) {
      parts.onApplied?.(offset);
      void pipeline.control.applied(offset);
    },
    onBlocked: (cause) => void pipeline.control.setStoreRefusal(cause && refusalOf(cause)),
    onFailure: (error) => parts.onFailure?.(error),
  });
  const queries = createQueries({
    model: graph.model,
    store,
    clock,
    turns,
    waitFor: (positions, timeoutMs) => feeder.waitFor(positions, timeoutMs),
    continuationKey: new Uint8Array(32),
  });
  await feeder.start();
  await pipeline.control.start();
  return { ...pipeline, store, feeder, queries };
}

/** Works off what was accepted and closes everything in the product's order. */
export async function closeLine(line: Line): Promise<void> {
  await line.finish();
  await line.feeder.finish();
  await line.store.close();
  await line.close();
}

/** A definition without map functions as a graph; how it was made does not matter to what runs it. */
export function graphOfModel(model: GraphModel): Graph {
  return { kind: "graph", name: model.name, model, fingerprint: "", maps: new Map(), enrichments: new Map() };
}

function refusalOf({ kind, code, message, hint }: RdgError) {
  return { kind, code, message, hint };
}

function keptOpen(registry: SchemaRegistry): SchemaRegistry {
  return new Proxy(registry, {
    get(target, name) {
      if (name === "close") return async () => undefined;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
