// `enrichment`: what a graph's answers may add to nodes from elsewhere, by an ordinary function that is asked for many ids at once. No part of the graph's data.
import type { AskedEnrichmentModel } from "../definition.ts";
import { checkInteger, checkName, checkOptions, declarationNameMax, definitionError, within } from "./check.ts";
import { declarationOf, durationMs, positiveMs, type AnyNode, type Duration } from "./declaration.ts";
import { fieldModels, type EventFields, type InputValue } from "./field.ts";

export interface EnrichmentOptions<O extends AnyNode, F extends EventFields> {
  /** The type of nodes that it is about. */
  readonly on: O;
  /** What it gives; checked for every node, as events are. */
  readonly fields: F;
  /**
   * Loads values by id; an id that is missing in the map has none. Stop when the signal is aborted. What it throws is told in the answer as `failed`, with the
   * nodes, and never fails the request.
   */
  readonly load: (ids: readonly string[], call: EnrichmentCall) => Promise<ReadonlyMap<string, InputValue<F>>>;
  /** Ids of one call; default 100, at most 10,000. */
  readonly batch?: number;
  /** For one call; default `250ms`, at most `1m`. */
  readonly timeout?: Duration;
  /** How long values are kept and given again; default `1m`, `0s` keeps none. */
  readonly ttl?: Duration;
  /** So many values are kept; default 10,000, each of which may stand for a kilobyte on average. */
  readonly cacheMax?: number;
}

export interface EnrichmentCall {
  /** Aborted at the timeout, at the deadline of the request, and when its caller has gone. */
  readonly signal: AbortSignal;
}

/** What any enrichment is asked for by. */
export interface AnyAskedEnrichment {
  readonly kind: "enrichment";
  readonly name: string;
  readonly on: AnyNode;
  readonly model: AskedEnrichmentModel;
}

/** An enrichment that a graph may have: it can be loaded. */
export interface AnyEnrichment extends AnyAskedEnrichment {
  readonly model: EnrichmentModel;
  readonly load: (ids: readonly string[], call: EnrichmentCall) => Promise<ReadonlyMap<string, unknown>>;
}

/** The enrichment but for its function, as data. */
export interface EnrichmentModel extends AskedEnrichmentModel {
  readonly batchMax: number;
  readonly timeoutMs: number;
  readonly ttlMs: number;
  readonly cacheMax: number;
}

/** An enrichment without its function: for programs that ask a server that has it. */
export interface AskedEnrichment<
  N extends string,
  O extends AnyNode,
  F extends EventFields,
> extends AnyAskedEnrichment {
  readonly name: N;
  readonly on: O;
  readonly fields: F;
}

export interface EnrichmentDef<N extends string, O extends AnyNode, F extends EventFields>
  extends AnyEnrichment, AskedEnrichment<N, O, F> {
  readonly name: N;
  readonly on: O;
  readonly model: EnrichmentModel;
}

const enrichmentKey = Symbol.for("rdg.enrichment/1");

/**
 * @example
 * const prices = enrichment("prices", {
 *   on: title,
 *   fields: { amount: t.int64(), currency: t.string() },
 *   load: (ids, { signal }) => shop.pricesOf(ids, signal),
 * });
 * export default defineGraph("shop", { jobs: [...], enrichments: [prices] });
 */
export function enrichment<const N extends string, O extends AnyNode, F extends EventFields>(
  name: N,
  options: EnrichmentOptions<O, F>,
): EnrichmentDef<N, O, F>;
/** Without `load`: what a program that does not share the definition's source asks for. A graph cannot have it. */
export function enrichment<const N extends string, O extends AnyNode, F extends EventFields>(
  name: N,
  options: Pick<EnrichmentOptions<O, F>, "on" | "fields">,
): AskedEnrichment<N, O, F>;
export function enrichment<N extends string, O extends AnyNode, F extends EventFields>(
  name: N,
  options: Pick<EnrichmentOptions<O, F>, "on" | "fields"> & Partial<EnrichmentOptions<O, F>>,
): AskedEnrichment<N, O, F> {
  checkName(name, "an enrichment", declarationNameMax, "enrichment");
  const { on, fields, load } = options;
  const model = within(`enrichment ${name}`, () =>
    load === undefined ? askedModel(name, options) : modelOf(name, options),
  );
  const declared = {
    kind: "enrichment",
    name,
    on,
    fields,
    model: Object.freeze(model),
    ...(load && { load }),
  } as const;
  Object.defineProperty(declared, enrichmentKey, { value: true });
  return Object.freeze(declared);
}

type Given = Pick<EnrichmentOptions<AnyNode, EventFields>, "on" | "fields"> &
  Partial<EnrichmentOptions<AnyNode, EventFields>>;

function askedModel(name: string, options: Given): AskedEnrichmentModel {
  checkOptions(options, ["on", "fields", "load"]);
  return { name, on: nodeOf(options), fields: fieldModels(options.fields) };
}

function nodeOf(options: Given): string {
  const on = declarationOf(options.on, "node");
  if (on !== undefined) return on.name;
  const hint = "Give what node(...) returned.";
  throw definitionError("not_a_node", "An enrichment is about nodes of one type.", hint, "on");
}

function modelOf(name: string, options: Given): EnrichmentModel {
  checkOptions(options, ["on", "fields", "load", "batch", "timeout", "ttl", "cacheMax"]);
  const { batch = 100, timeout = "250ms", ttl = "1m", cacheMax = 10_000 } = options;
  const on = nodeOf(options);
  if (typeof options.load !== "function") {
    throw definitionError("not_a_function", "load is a function.", "Write (ids, { signal }) => ...", "load");
  }
  checkInteger(batch, 1, 10_000, "batch");
  checkInteger(cacheMax, 100, 10_000_000, "cacheMax");
  const timeoutMs = positiveMs(timeout, "timeout");
  checkInteger(timeoutMs, 1, 60_000, "timeout");
  const ttlMs = durationMs(ttl, "ttl");
  return { name, on, fields: fieldModels(options.fields), batchMax: batch, timeoutMs, ttlMs, cacheMax };
}

export function isEnrichment(value: unknown): value is AnyAskedEnrichment {
  return typeof value === "object" && value !== null && enrichmentKey in value;
}
