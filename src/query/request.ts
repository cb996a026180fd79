// A traverse request, untrusted JSON, checked against the definition into a frozen plan. Names what is wrong, where, and what is allowed.
import { didYouMean } from "../core/did-you-mean.ts";
import { RdgError } from "../core/errors.ts";
import type { EdgeModel, GraphModel, PropertyModel } from "../model/definition.ts";
import { type Position, parsePosition } from "../model/position.ts";
import type { HopDirection } from "../model/traversal.ts";
import type { Direction } from "../store/port.ts";
import { JsonReader } from "./json-reader.ts";
import { momentForms, parseMoment } from "./moments.ts";
import type { HopPlan, StartPlan, TraversalBudget, TraversalLimits, TraversalPlan } from "./traversal-plan.ts";
import { readCondition } from "./where.ts";

const idBytesMax = 1024;

/** @throws RdgError invalid */
export function planTraversal(
  request: unknown,
  model: GraphModel,
  limits: TraversalLimits,
  nowMs: number,
): TraversalPlan {
  const json = new JsonReader(request).object(["from", "hops", "budget", "waitFor", "timeoutMs"]);
  const start = readStart(json.at("from"), model, limits);
  const hops: HopPlan[] = [];
  let type = start.type;
  const hopsJson = json.at("hops").present ? json.at("hops").list("hops", 0, limits.hopsMax) : [];
  for (const hopJson of hopsJson) {
    const hop = readHop(hopJson, type, model, limits, nowMs);
    hops.push(hop);
    type = hop.neighbourType;
  }
  const selected = json.at("from").at("select").value;
  const from = { type: model.nodes[start.type]!.name, ...(selected === undefined ? {} : { select: selected }) };
  const source = { from, hops: hopsJson.map((hop) => hop.value), nowMs };
  const waitFor = readWaitFor(json, model, limits);
  return { source, start, hops, firstHop: 0, budget: readBudget(json, limits), waitFor };
}

function readStart(json: JsonReader, model: GraphModel, limits: TraversalLimits): StartPlan {
  json.object(["type", "ids", "select"]);
  const typeJson = json.at("type");
  const name = typeJson.text("the name of a node type");
  const type = model.nodes.findIndex((node) => node.name === name);
  if (type < 0) {
    const hint = didYouMean(
      name,
      model.nodes.map((node) => node.name),
    );
    throw typeJson.fail("unknown_node_type", `There is no node type "${name}".`, hint);
  }
  const ids = new Set(json.at("ids").list("ids", 1, limits.startsMax).map(readId));
  return { type, ids: [...ids], select: readSelect(json.at("select"), model.nodes[type]!) };
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

function readHop(json: JsonReader, type: number, model: GraphModel, limits: TraversalLimits, nowMs: number): HopPlan {
  json.object(["edge", "direction", "limit", "order", "since", "until", "where", "select"]);
  const edge = readEdge(json.at("edge"), type, model);
  const direction = json.at("direction");
  const walked = direction.present ? direction.oneOf(["out", "in", "both"]) : "out";
  const walks = readWalks(json, model, edge, walked, type);
  const edgeType = model.edges[edge]!;
  const neighbourName = walks[0] === "out" ? edgeType.to : edgeType.from;
  const neighbourType = model.nodes.findIndex((node) => node.name === neighbourName);
  const neighbour = model.nodes[neighbourType]!;
  const [limit, order] = [json.at("limit"), json.at("order")];
  const [where, select] = [json.at("where"), json.at("select")];
  if (where.present) where.object(["edge", "node"]);
  if (select.present) select.object(["edge", "node"]);
  const [sinceMs, untilMs] = [readMoment(json.at("since"), nowMs), readMoment(json.at("until"), nowMs)];
  const edgeFilter = conditionAt(where, "edge", edgeType, limits, nowMs);
  const nodeFilter = conditionAt(where, "node", neighbour, limits, nowMs);
  return {
    edge,
    walks,
    neighbourType,
    order: order.present ? order.oneOf(["latest", "any"]) : "latest",
    limit: limit.present ? limit.integer(1, limits.limitMax) : limits.limitDefault,
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(edgeFilter === undefined ? {} : { edgeFilter }),
    ...(nodeFilter === undefined ? {} : { nodeFilter }),
    selectEdge: readSelect(select.present ? select.at("edge") : select, edgeType),
    selectNode: readSelect(select.present ? select.at("node") : select, neighbour),
  };
}

function readEdge(json: JsonReader, type: number, model: GraphModel): number {
  const name = json.text("the name of an edge type");
  const edge = model.edges.findIndex((candidate) => candidate.name === name);
  if (edge >= 0) return edge;
  const here = model.nodes[type]!.name;
  const possible = model.edges.filter((candidate) => candidate.from === here || candidate.to === here);
  const hint = didYouMean(
    name,
    (possible.length > 0 ? possible : model.edges).map((candidate) => candidate.name),
  );
  throw json.fail("unknown_edge_type", `There is no edge type "${name}".`, hint);
}

/** `both` unites what applies: where the edge type's ends differ, that is the one direction that leads away from the frontier. */
function readWalks(
  json: JsonReader,
  model: GraphModel,
  edge: number,
  direction: HopDirection,
  type: number,
): readonly Direction[] {
  const { name, from, to } = model.edges[edge]!;
  const here = model.nodes[type]!.name;
  const walks: Direction[] = [];
  if (direction !== "in" && from === here) walks.push("out");
  if (direction !== "out" && to === here) walks.push("in");
  if (walks.length > 0) return walks;
  const possible = model.edges.flatMap((candidate) => [
    ...(candidate.from === here ? [`${candidate.name} out`] : []),
    ...(candidate.to === here ? [`${candidate.name} in`] : []),
  ]);
  throw json.fail(
    "impossible_hop",
    `"${name}" leads from "${from}" to "${to}"; walked "${direction}" it does not leave a node of type "${here}".`,
    possible.length === 0 ? `No edge type touches "${here}".` : `From "${here}": ${possible.join(", ")}.`,
  );
}

function conditionAt(
  where: JsonReader,
  of: "edge" | "node",
  type: { readonly name: string; readonly properties: readonly PropertyModel[] },
  limits: TraversalLimits,
  nowMs: number,
): ReturnType<typeof readCondition> {
  if (!where.present) return undefined;
  const json = where.at(of);
  return json.present ? readCondition(json, of, type, limits, nowMs) : undefined;
}

function readMoment(json: JsonReader, nowMs: number): number | undefined {
  if (!json.present) return undefined;
  const moment = parseMoment(json.text("a moment"), nowMs);
  if (moment === undefined) throw json.fail("bad_moment", "This is not a moment.", `Give ${momentForms}.`);
  return moment;
}

/** Indexes of the selected properties, ascending; all when nothing is said. */
function readSelect(
  json: JsonReader,
  type: { readonly name: string; readonly properties: readonly PropertyModel[] },
): number[] {
  if (!json.present) return type.properties.map((_, i) => i);
  const selected = new Set<number>();
  for (const item of json.list("properties", 0, 1_000)) {
    const name = item.text("the name of a property");
    const index = type.properties.findIndex((property) => property.name === name);
    if (index < 0) {
      const hint = didYouMean(
        name,
        type.properties.map((property) => property.name),
      );
      throw item.fail("unknown_property", `"${type.name}" has no property "${name}".`, hint);
    }
    selected.add(index);
  }
  return [...selected].sort((a, b) => a - b);
}

/** `budget` and `timeoutMs`, which a continued request has too. */
export function readBudget(json: JsonReader, limits: TraversalLimits): TraversalBudget {
  const [budget, timeout] = [json.at("budget"), json.at("timeoutMs")];
  if (budget.present) budget.object(["edges", "scanned"]);
  const bounded = (name: string, maximum: number): number => {
    const part = budget.present ? budget.at(name) : budget;
    return part.present ? part.integer(1, maximum) : maximum;
  };
  return {
    edgesMax: bounded("edges", limits.edgesMax),
    scannedMax: bounded("scanned", limits.scannedMax),
    bytesMax: limits.bytesMax,
    timeoutMs: timeout.present ? timeout.integer(1, limits.timeoutMsMax) : limits.timeoutMsDefault,
  };
}

export function readWaitFor(json: JsonReader, model: GraphModel, limits: TraversalLimits): Position[] {
  const waitFor = json.at("waitFor");
  if (!waitFor.present) return [];
  return waitFor.list("positions", 0, limits.waitForMax).map((item) => {
    try {
      const position = parsePosition(item.text("a position"));
      checkTopic(item, position, model);
      return position;
    } catch (error) {
      if (!(error instanceof RdgError) || error.place !== undefined) throw error;
      throw item.fail(error.code, error.message, error.hint ?? "");
    }
  });
}

/** Refuses positions that the graph never accounts for: waiting for them would always end with the timeout. */
function checkTopic(json: JsonReader, { topic, partition }: Position, model: GraphModel): void {
  const dot = topic.indexOf(".");
  const [stage, name] = [topic.slice(0, dot), topic.slice(dot + 1)];
  const types = stage === "nodes" ? model.nodes : stage === "edges" ? model.edges : [];
  const event = stage === "events" ? model.events.find((candidate) => candidate.name === name) : undefined;
  const partitions = event?.partitions ?? (types.some((type) => type.name === name) ? 1 : 0);
  if (partitions === 0) {
    const hint = "Wait for positions of events.<event>, nodes.<type> or edges.<type>.";
    throw json.fail("unknown_topic", `The graph accounts for no topic "${topic.slice(0, 100)}".`, hint);
  }
  if (partition >= partitions) {
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
