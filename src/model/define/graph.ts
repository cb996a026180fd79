// `defineGraph`: gathers jobs and what they reach into one frozen model.
import { didYouMean } from "../../core/did-you-mean.ts";
import {
  definitionFormat,
  type EdgeModel,
  type EventModel,
  type GraphModel,
  type NodeModel,
  type SideInputModel,
} from "../definition.ts";
import { fingerprintOf } from "../fingerprint.ts";
import {
  checkInteger,
  checkName,
  checkOptions,
  declarationNameMax,
  deepFreeze,
  definitionError,
  within,
} from "./check.ts";
import {
  declarationOf,
  durationMs,
  positiveMs,
  type AnyEdge,
  type AnyNode,
  type Declaration,
  type Duration,
} from "./declaration.ts";
import { isEnrichment, type AnyEnrichment } from "./enrichment.ts";
import { isJob, type JobDef, type MapFunction } from "./job.ts";

export interface GraphOptions {
  readonly jobs: readonly JobDef[];
  /** Types that no job emits: those of `map` functions, or none yet. */
  readonly nodes?: readonly AnyNode[];
  readonly edges?: readonly AnyEdge[];
  /** Event times further ahead of the time of receipt are quarantined; default `5m`. */
  readonly skewMax?: Duration;
  /** How long after its event time an event may arrive; default `1d`. */
  readonly lateness?: Duration;
  /** How long tombstones are kept; default a week, and at least what the events' retention and the lateness ask for. */
  readonly tombstoneGrace?: Duration;
  /** What bounds the hops of traversals that say nothing else. */
  readonly traversals?: TraversalOptions;
  /** What requests may ask to be added to nodes, by functions. */
  readonly enrichments?: readonly AnyEnrichment[];
}

/** Over what is built in (`since: "100d"`, `limit: 300`, `order: "latest"`), under what a request says. */
export interface TraversalOptions {
  /** How far back edges are followed, by their last seen; `ever`: without bound. */
  readonly since?: Duration | "ever";
  /** Edges per node and edge type of a hop: 1 to 10,000. */
  readonly limit?: number;
  readonly order?: "latest" | "any";
}

/** A whole definition: what `rdg dev`, clients and deployments take. */
export interface Graph {
  readonly kind: "graph";
  readonly name: string;
  readonly model: GraphModel;
  /** SHA-256 of the model's canonical form, hexadecimal. */
  readonly fingerprint: string;
  /** The functions of `map` jobs by event. */
  readonly maps: ReadonlyMap<string, MapFunction>;
  /** What answers may add to nodes, by name. */
  readonly enrichments: ReadonlyMap<string, AnyEnrichment>;
}

const graphKey = Symbol.for("rdg.graph/1");
const dayMs = 86_400_000;
const typesMax = 1000;

export function defineGraph(name: string, options: GraphOptions): Graph {
  checkName(name, "a graph", declarationNameMax, "graph");
  return within(`graph ${name}`, () => {
    checkOptions(options, [
      "jobs",
      "nodes",
      "edges",
      "skewMax",
      "lateness",
      "tombstoneGrace",
      "traversals",
      "enrichments",
    ]);
    const model = deepFreeze(modelOf(name, options));
    const maps = new Map(options.jobs.flatMap((job) => (job.map === undefined ? [] : [[job.event, job.map] as const])));
    const enrichments = enrichmentsOf(options.enrichments ?? [], model);
    const graph: Graph = { kind: "graph", name, model, fingerprint: fingerprintOf(model), maps, enrichments };
    Object.defineProperty(graph, graphKey, { value: true });
    return Object.freeze(graph);
  });
}

function enrichmentsOf(given: readonly AnyEnrichment[], model: GraphModel): ReadonlyMap<string, AnyEnrichment> {
  const enrichments = new Map<string, AnyEnrichment>();
  for (const [index, value] of given.entries()) {
    const place = `enrichments[${index}]`;
    if (!isEnrichment(value)) {
      throw definitionError(
        "not_an_enrichment",
        "This is no enrichment.",
        "Give what enrichment(...) returned.",
        place,
      );
    }
    if (typeof value.load !== "function") {
      const message = `The enrichment "${value.name}" has no function that loads it.`;
      throw definitionError("not_loaded", message, "Give it load: (ids, { signal }) => ...", place);
    }
    if (enrichments.has(value.name)) {
      const message = `Two enrichments are called "${value.name}".`;
      throw definitionError("duplicate_enrichment", message, "Rename one of them.", place);
    }
    if (!model.nodes.some((type) => type.name === value.on.name)) {
      const message = `The enrichment "${value.name}" is about "${value.on.name}", of which the graph has no nodes.`;
      throw definitionError("unknown_node_type", message, "A job emits them, or they are named in nodes.", place);
    }
    enrichments.set(value.name, value);
  }
  return enrichments;
}

function modelOf(name: string, options: GraphOptions): GraphModel {
  const jobs = jobsOf(options.jobs);
  const types = new Types();
  for (const { uses } of jobs) {
    types.add(uses.event);
    for (const declaration of [...uses.sideInputs, ...uses.types]) types.add(declaration);
  }
  for (const given of options.nodes ?? []) types.add(declared(given, "node", "nodes"));
  for (const given of options.edges ?? []) types.add(declared(given, "edge", "edges"));
  const { events, sideInputs, nodes, edges } = types;
  return {
    format: definitionFormat,
    name,
    events: [...events.values()],
    sideInputs: [...sideInputs.values()],
    nodes: [...nodes.values()],
    edges: [...edges.values()],
    jobs: jobs.map((job) => job.model),
    ...timesOf(options, [...events.values()]),
    ...traversalsOf(options.traversals),
  };
}

function jobsOf(jobs: unknown): readonly JobDef[] {
  if (!Array.isArray(jobs)) {
    throw definitionError("no_jobs", "A graph is defined by its jobs.", "Give { jobs: [job(...).emit(...)] }.", "jobs");
  }
  const events = new Set<string>();
  for (const [index, job] of jobs.entries()) {
    if (!isJob(job)) {
      const hint = "A job ends with .emit(...) or .map(...).";
      throw definitionError("not_a_job", "This is not a finished job.", hint, `jobs[${index}]`);
    }
    if (events.has(job.event)) {
      const hint = "Join both into one: an event is processed by one job, in one transaction.";
      throw definitionError(
        "duplicate_job",
        `There are two jobs for the event "${job.event}".`,
        hint,
        `jobs[${index}]`,
      );
    }
    events.add(job.event);
  }
  return jobs as JobDef[];
}

function declared<K extends "node" | "edge">(
  value: unknown,
  kind: K,
  place: string,
): Extract<Declaration, { kind: K }> {
  const declaration = declarationOf(value, kind);
  if (declaration !== undefined) return declaration;
  throw definitionError(`not_a_${kind}`, `This is not a type of ${kind}s.`, `Give what ${kind}(...) returned.`, place);
}

/** Everything that is reached, by kind and name, in order of first mention. */
class Types {
  readonly events = new Map<string, EventModel>();
  readonly sideInputs = new Map<string, SideInputModel>();
  readonly nodes = new Map<string, NodeModel>();
  readonly edges = new Map<string, EdgeModel>();

  add(declaration: Declaration): void {
    switch (declaration.kind) {
      case "event":
        return addOnce(this.events, declaration.model, "events");
      case "sideInput":
        return addOnce(this.sideInputs, declaration.model, "side inputs");
      case "node":
        return addOnce(this.nodes, declaration.model, "node types");
      case "edge":
        addOnce(this.edges, declaration.model, "edge types");
        this.add(declaration.from);
        this.add(declaration.to);
    }
  }
}

function addOnce<M extends { readonly name: string }>(known: Map<string, M>, model: M, what: string): void {
  const other = known.get(model.name);
  if (other === undefined) {
    if (known.size >= typesMax)
      throw definitionError("too_many_types", `There are more than ${typesMax} ${what}.`, "Split the graph.");
    known.set(model.name, model);
  } else if (other !== model && JSON.stringify(other) !== JSON.stringify(model)) {
    const hint = "Rename one of them, or declare it once and import it.";
    throw definitionError("duplicate_type", `Two different ${what} are called "${model.name}".`, hint, model.name);
  }
}

function timesOf(options: GraphOptions, events: readonly EventModel[]) {
  const { skewMax = "5m", lateness = "1d", tombstoneGrace } = options;
  const [skewMaxMs, latenessMs] = [durationMs(skewMax, "skewMax"), durationMs(lateness, "lateness")];
  const keptMs = Math.max(0, ...events.map((event) => event.retention.timeMs ?? 0));
  const leastMs = keptMs + latenessMs;
  if (tombstoneGrace === undefined)
    return { skewMaxMs, latenessMs, tombstoneGraceMs: Math.max(7 * dayMs, leastMs + dayMs) };
  const tombstoneGraceMs = durationMs(tombstoneGrace, "tombstoneGrace");
  if (tombstoneGraceMs > leastMs) return { skewMaxMs, latenessMs, tombstoneGraceMs };
  const message = "Tombstones would be forgotten while events that they must outlive can still arrive.";
  const hint = `Keep them longer than the longest retention and the lateness: more than ${Math.ceil(leastMs / 1000)}s.`;
  throw definitionError("out_of_range", message, hint, "tombstoneGrace");
}

function traversalsOf(options: TraversalOptions | undefined): Pick<GraphModel, "traversals"> {
  if (options === undefined) return {};
  checkOptions(options, ["since", "limit", "order"], "traversals");
  const { since, limit, order } = options;
  if (limit !== undefined) checkInteger(limit, 1, 10_000, "traversals.limit");
  if (order !== undefined && order !== "latest" && order !== "any") {
    const message = `${JSON.stringify(order)} is no order.`;
    throw definitionError("out_of_range", message, 'Choose "latest" or "any".', "traversals.order");
  }
  const sinceMs = since === undefined || since === "ever" ? since : positiveMs(since, "traversals.since");
  const traversals = {
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(limit === undefined ? {} : { limit }),
    ...(order === undefined ? {} : { order }),
  };
  return Object.keys(traversals).length === 0 ? {} : { traversals };
}

export function isGraph(value: unknown): value is Graph {
  return typeof value === "object" && value !== null && graphKey in value;
}

/**
 * The graph that a module exports: its default export or the only one that is a graph; also a graph itself.
 * @throws RdgError invalid, `no_graph` or `many_graphs`
 */
export function loadGraph(exported: unknown): Graph {
  if (isGraph(exported)) return exported;
  const entries = typeof exported === "object" && exported !== null ? Object.entries(exported) : [];
  const graphs = new Map(entries.filter((entry): entry is [string, Graph] => isGraph(entry[1])));
  const chosen = graphs.get("default") ?? (graphs.size === 1 ? [...graphs.values()][0] : undefined);
  if (chosen !== undefined) return chosen;
  if (graphs.size > 1) {
    const message = `The module exports several graphs: ${[...graphs.keys()].join(", ")}.`;
    throw definitionError("many_graphs", message, "Make one of them the default export.");
  }
  const near = didYouMean(
    "graph",
    entries.map(([name]) => name),
  );
  const hint = `End the module with: export default defineGraph("my_graph", { jobs: [...] }). ${near}`;
  throw definitionError("no_graph", "The module exports no graph.", hint.trimEnd());
}
