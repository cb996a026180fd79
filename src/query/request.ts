// A traverse request, untrusted JSON, checked against the definition into a frozen plan. Names what is wrong, where, and what is allowed.
import { didYouMean } from "../core/did-you-mean.ts";
import { RdgError } from "../core/errors.ts";
import type { EdgeModel, GraphModel } from "../model/definition.ts";
import { type Position, parsePosition } from "../model/position.ts";
import { JsonReader } from "./json-reader.ts";
import type { QueryContext } from "./port.ts";
import { type HopScope, checkSelection, planHop, requireReadable } from "./request-hop.ts";
import { graphRule, narrowed, ruleNames } from "./rules.ts";
import { schemaOf } from "./schema.ts";
import type { StartPlan, StepPlan, TraversalBudget, TraversalLimits, TraversalPlan } from "./traversal-plan.ts";

const idBytesMax = 1024;
const enrichmentsMax = 20;

const members = ["from", "hops", "defaults", "budget", "enrich", "cache", "explain", "waitFor", "timeoutMs"] as const;

/** @throws RdgError invalid; unauthorized, `type_not_readable` */
export function planTraversal(
  request: unknown,
  model: GraphModel,
  limits: TraversalLimits,
  nowMs: number,
  mayRead?: QueryContext["mayRead"],
): TraversalPlan {
  const json = new JsonReader(request).object(members);
  const start = readStart(json.at("from"), model, limits, mayRead);
  const defaults = json.at("defaults");
  const graph = graphRule(model, limits, nowMs);
  const rule = defaults.present ? narrowed(graph, defaults.object(ruleNames), "request", limits, nowMs) : graph;
  const hopsJson = json.at("hops").present ? json.at("hops").list("hops", 0, limits.hopsMax) : [];
  const steps = planHops(hopsJson, start.type, { model, limits, nowMs, mayRead, rule });
  const enrich = readEnrich(json);
  const selected = json.at("from").at("select").value;
  const source = {
    from: { type: model.nodes[start.type]!.name, ...(selected === undefined ? {} : { select: selected }) },
    hops: hopsJson.map((hop) => hop.value),
    ...(defaults.present ? { defaults: defaults.value } : {}),
    ...(enrich.length > 0 ? { enrich } : {}),
    nowMs,
  };
  const repeats = steps.some(({ repetition }) => repetition !== undefined);
  const waitFor = readWaitFor(json, model, limits);
  const budget = readBudget(json, limits);
  return { source, starts: [start], steps, firstHop: 0, repeats, budget, waitFor, enrich, ...readTerms(json) };
}

/** A hop starts from what the one before it reached: of a repeated one, in any of its repetitions. */
function planHops(hops: readonly JsonReader[], start: number, scope: HopScope): StepPlan[] {
  const steps: StepPlan[] = [];
  let types: readonly number[] = [start];
  let timesLeft = scope.limits.hopsMax;
  for (const [number, json] of hops.entries()) {
    const stepsLeft = timesLeft - (hops.length - number - 1);
    const planned = planHop(json, number, types, scope, stepsLeft);
    const repeat = json.at("repeat");
    timesLeft -= repeat.present ? (repeat.at("times").value as number) : 1;
    steps.push(...planned);
    types = [...new Set(planned.flatMap(({ reached }) => reached.map(({ type }) => type)))];
  }
  return steps;
}

/** `cache` and `explain`, which a continued request has too. */
export function readTerms(json: JsonReader): Pick<TraversalPlan, "cache" | "explain"> {
  const [cache, explain] = [json.at("cache"), json.at("explain")];
  return {
    cache: cache.present ? cache.oneOf([true, false]) : true,
    ...(explain.present ? { explain: explain.oneOf(["plan", "profile"]) } : {}),
  };
}

/** Names; whether they are known is up to who enriches. */
function readEnrich(json: JsonReader): string[] {
  if (!json.has("enrich")) return [];
  const names = json.at("enrich").list("enrichments", 0, enrichmentsMax);
  return [...new Set(names.map((name) => name.text("the name of an enrichment")))];
}

function readStart(
  json: JsonReader,
  model: GraphModel,
  limits: TraversalLimits,
  mayRead: QueryContext["mayRead"],
): StartPlan {
  json.object(["type", "ids", "select"]);
  const typeJson = json.at("type");
  const name = typeJson.text("the name of a node type");
  const type = schemaOf(model).nodeIndex.get(name);
  if (type === undefined) {
    const hint = didYouMean(
      name,
      model.nodes.map((node) => node.name),
    );
    throw typeJson.fail("unknown_node_type", `There is no node type "${name}".`, hint);
  }
  requireReadable(typeJson, name, mayRead);
  const ids = new Set(json.at("ids").list("ids", 1, limits.startsMax).map(readId));
  return { type, ids: [...ids], select: readSelect(json.at("select"), model.nodes[type]!) };
}

/** Indexes of the selected properties, ascending; all when nothing is said. */
function readSelect(json: JsonReader, type: GraphModel["nodes"][number]): readonly number[] {
  if (!json.present) return type.properties.map((_, i) => i);
  checkSelection(json, [type]);
  const names = new Set(json.value as readonly string[]);
  return type.properties.flatMap(({ name }, i) => (names.has(name) ? [i] : []));
}

/** A node id of a request or a path. */
export function readId(json: JsonReader): string {
  const id = json.text("an id");
  if (id === "" || Buffer.byteLength(id) > idBytesMax || !id.isWellFormed()) {
    throw json.fail(
      "bad_id",
      "This is not a node id.",
      `Ids are non-empty, well-formed strings of at most ${idBytesMax} bytes of UTF-8.`,
    );
  }
  return id;
}

/** `budget` and `timeoutMs`, which a continued request has too. */
export function readBudget(json: JsonReader, limits: TraversalLimits): TraversalBudget {
  const [budget, timeout] = [json.at("budget"), json.at("timeoutMs")];
  if (budget.present) budget.object(["edges", "scanned", "bytes"]);
  const bounded = (name: string, maximum: number): number => {
    const part = budget.present ? budget.at(name) : budget;
    return part.present ? part.integer(1, maximum) : maximum;
  };
  return {
    edgesMax: bounded("edges", limits.edgesMax),
    scannedMax: bounded("scanned", limits.scannedMax),
    bytesMax: bounded("bytes", limits.bytesMax),
    timeoutMs: timeout.present ? timeout.integer(1, limits.timeoutMsMax) : limits.timeoutMsDefault,
  };
}

export function readWaitFor(json: JsonReader, model: GraphModel, limits: TraversalLimits): Position[] {
  const waitFor = json.at("waitFor");
  if (!waitFor.present) return [];
  return waitFor.list("positions", 0, limits.waitForMax).map((item) => {
    try {
      const position = parsePosition(item.text("a position"));
      checkTopic(item, position, model, limits.eventsMayGrow);
      return position;
    } catch (error) {
      if (!(error instanceof RdgError) || error.place !== undefined) throw error;
      throw item.fail(error.code, error.message, error.hint ?? "");
    }
  });
}

/** Refuses positions that the graph never accounts for: waiting for them would always end with the timeout. */
function checkTopic(json: JsonReader, { topic, partition }: Position, model: GraphModel, eventsMayGrow: boolean): void {
  const dot = topic.indexOf(".");
  const [stage, name] = [topic.slice(0, dot), topic.slice(dot + 1)];
  const types = stage === "nodes" ? model.nodes : stage === "edges" ? model.edges : [];
  const event = stage === "events" ? model.events.find((candidate) => candidate.name === name) : undefined;
  const partitions = event?.partitions ?? (types.some((type) => type.name === name) ? 1 : 0);
  if (partitions === 0) {
    const hint = "Wait for positions of events.<event>, nodes.<type> or edges.<type>.";
    throw json.fail("unknown_topic", `The graph accounts for no topic "${topic.slice(0, 100)}".`, hint);
  }
  if (partition >= partitions && !(eventsMayGrow && event !== undefined)) {
    throw json.fail("unknown_partition", `${topic} has partitions 0 to ${partitions - 1}, not ${partition}.`, "");
  }
}

/** The type's index by its name in a path or a request. */
export function edgeTypeIndex(model: GraphModel, name: string): number {
  const index = model.edges.findIndex((edge: EdgeModel) => edge.name === name);
  if (index >= 0) return index;
  throw new RdgError("not_found", "unknown_edge_type", `There is no edge type "${name}".`, {
    hint: didYouMean(
      name,
      model.edges.map((edge) => edge.name),
    ),
  });
}

export function nodeTypeIndex(model: GraphModel, name: string): number {
  const index = model.nodes.findIndex((node) => node.name === name);
  if (index >= 0) return index;
  throw new RdgError("not_found", "unknown_node_type", `There is no node type "${name}".`, {
    hint: didYouMean(
      name,
      model.nodes.map((node) => node.name),
    ),
  });
}
