// What all questions read of their requests: types that may be read, ids, selections, and the edges asked for as branches of one edge type and direction.
import { didYouMean } from "../../core/did-you-mean.ts";
import { RdgError } from "../../core/errors.ts";
import type { GraphModel, PropertyModel } from "../../model/definition.ts";
import type { Filter } from "../../model/filter.ts";
import type { Position } from "../../model/position.ts";
import type { HopDirection } from "../../model/traversal.ts";
import type { Direction } from "../../store/port.ts";
import { type JsonReader, shown } from "../json-reader.ts";
import { momentForms, parseMoment } from "../moments.ts";
import type { QueryContext } from "../port.ts";
import { readWaitFor } from "../request.ts";
import type { TraversalLimits } from "../traversal-plan.ts";
import { readCondition } from "../where.ts";

const edgesAskedMax = 100;

/** Of nodes of a type that lacks a property of the condition. */
const never: Filter = { kind: "or", filters: [] };

/** What a request is checked against. */
export interface Scope {
  readonly model: GraphModel;
  readonly limits: TraversalLimits;
  /** Ages count from here. */
  readonly nowMs: number;
  readonly mayRead: QueryContext["mayRead"];
}

/** A node or edge type, as far as its properties go. */
export interface PropertyOwner {
  readonly name: string;
  readonly properties: readonly PropertyModel[];
}

/** What every question says beside itself. */
export interface Terms {
  readonly waitFor: readonly Position[];
  readonly timeoutMs: number;
  readonly scannedMax: number;
  readonly cache: boolean | undefined;
}

export const termNames = ["waitFor", "timeoutMs", "cache"] as const;
export const edgeNames = ["edge", "direction", "since", "until", "where"] as const;

/** `budget` is asked for by those questions that name it among their members. */
export function readTerms(json: JsonReader, { model, limits }: Scope): Terms {
  const [timeout, budget, cache] = [json.at("timeoutMs"), json.at("budget"), json.at("cache")];
  const scanned = budget.present ? budget.object(["scanned"]).at("scanned") : budget;
  return {
    waitFor: readWaitFor(json, model, limits),
    timeoutMs: timeout.present ? timeout.integer(1, limits.timeoutMsMax) : limits.timeoutMsDefault,
    scannedMax: scanned.present ? scanned.integer(1, limits.scannedMax) : limits.scannedMax,
    cache: cache.present ? readFlag(cache) : undefined,
  };
}

function readFlag(json: JsonReader): boolean {
  if (typeof json.value === "boolean") return json.value;
  throw json.fail("not_allowed", `${shown(json.value)} is not allowed here.`, "Allowed: true, false.");
}

/** One edge type in one direction, as it is walked from the nodes asked about. */
export interface Branch {
  /** Index of the edge type. */
  readonly edge: number;
  readonly direction: Direction;
  /** Indexes of the node types that it leads from and to. */
  readonly near: number;
  readonly far: number;
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
  readonly edgeFilter: Filter | undefined;
  /** Of the node that the edge leads to. */
  readonly nodeFilter: Filter | undefined;
}

/** One edge type as it was asked for. */
export interface EdgeAsked {
  readonly edge: number;
  /** What the schema makes of the direction asked for: `both` only where both are walked. */
  readonly direction: HopDirection;
  /** Out before in. */
  readonly branches: readonly Branch[];
}

/** A named type's index. @throws RdgError invalid `unknown_node_type`, unauthorized `type_not_readable` */
export function readNodeType(json: JsonReader, { model, mayRead }: Scope): number {
  return readType(json, "node", model.nodes, mayRead);
}

export function readEdgeType(json: JsonReader, { model, mayRead }: Scope): number {
  const edge = readType(json, "edge", model.edges, mayRead);
  const { from, to } = model.edges[edge]!;
  for (const end of [from, to]) requireReadable(json, end, mayRead);
  return edge;
}

function readType(
  json: JsonReader,
  kind: "node" | "edge",
  types: readonly { readonly name: string }[],
  mayRead: QueryContext["mayRead"],
): number {
  const name = json.text(kind === "node" ? "the name of a node type" : "the name of an edge type");
  const type = types.findIndex((candidate) => candidate.name === name);
  if (type >= 0) {
    requireReadable(json, name, mayRead);
    return type;
  }
  const readable = types.map((candidate) => candidate.name).filter((candidate) => mayRead?.(candidate) ?? true);
  throw json.fail(`unknown_${kind}_type`, `There is no ${kind} type "${name}".`, didYouMean(name, readable));
}

function requireReadable(json: JsonReader, name: string, mayRead: QueryContext["mayRead"]): void {
  if (mayRead?.(name) ?? true) return;
  throw new RdgError(
    "unauthorized",
    "type_not_readable",
    `Elements of type "${name}" may not be read with this access.`,
    {
      place: json.place,
      hint: "Ask with access that covers the type.",
    },
  );
}

/**
 * The edges that a request asks for. `from`: the type of the nodes that they are walked from; without it they may be walked from any.
 * @throws RdgError invalid, also `impossible_hop` where none of a type's edges leaves a node of type `from`
 */
export function readEdges(
  json: JsonReader,
  scope: Scope,
  from: number | undefined,
  directionDefault: HopDirection,
): EdgeAsked[] {
  const edge = json.at("edge");
  const direction = json.at("direction");
  const given = direction.present ? direction.oneOf(["out", "in", "both"]) : undefined;
  const outer: Outer = { json, scope, from };
  if (!edge.present || edge.value === "*") {
    if (!edge.present && from !== undefined) edge.text(`an edge type, a list of them, or "*"`);
    return readAny(outer, given ?? "both");
  }
  const items = typeof edge.value === "string" ? [edge] : edge.list("edge types", 1, edgesAskedMax);
  const asked = items.map((item) => readOne(item, outer, given ?? directionDefault));
  const known = new Set<string>();
  for (const [i, { branches }] of asked.entries()) {
    for (const branch of branches) {
      const key = `${branch.edge} ${branch.direction}`;
      if (known.has(key)) throw askedTwice(items[i]!, scope.model.edges[branch.edge]!.name);
      known.add(key);
    }
  }
  return asked;
}

function askedTwice(json: JsonReader, name: string): RdgError {
  return json.fail("not_allowed", `"${name}" is asked for twice in the same direction.`, "Say it once.");
}

interface Outer {
  /** The request, or the part of it that says what holds for all edge types. */
  readonly json: JsonReader;
  readonly scope: Scope;
  readonly from: number | undefined;
}

function readAny(outer: Outer, direction: HopDirection): EdgeAsked[] {
  const { model, mayRead = () => true } = outer.scope;
  const place = outer.json.at("edge");
  const where = outer.json.at("where");
  const asked: EdgeAsked[] = [];
  let lacking: unknown;
  let possible = false;
  for (const [edge, { name, from, to }] of model.edges.entries()) {
    if (![name, from, to].every((type) => mayRead(type))) continue;
    const walks = walksOf(outer, edge, direction);
    if (walks.length === 0) continue;
    possible = true;
    const branches: Branch[] = [];
    for (const walk of walks) {
      try {
        branches.push(readBranch(outer, edge, walk, outer.json, where));
      } catch (error) {
        if (!isLacking(error)) throw error;
        lacking = error;
      }
    }
    if (branches.length > 0) asked.push(askedOf(edge, branches));
  }
  if (asked.length > 0) return asked;
  if (possible) throw lacking;
  const here = outer.from === undefined ? "a node" : `"${model.nodes[outer.from]!.name}"`;
  throw place.fail("impossible_hop", `No edge type, walked "${direction}", leaves ${here}.`, "");
}

function readOne(item: JsonReader, outer: Outer, directionDefault: HopDirection): EdgeAsked {
  const { scope, json } = outer;
  const isRule = typeof item.value === "object" && item.value !== null && !Array.isArray(item.value);
  const rule = isRule ? item.object(["type", "direction", "since", "until", "where"]) : undefined;
  const name = rule?.at("type") ?? item;
  const edge = readEdgeType(name, scope);
  const own = rule?.at("direction");
  const direction = own?.present ? own.oneOf(["out", "in", "both"]) : directionDefault;
  const walks = walksOf(outer, edge, direction);
  if (walks.length === 0) throw impossible(name, outer, edge, direction);
  const ownWhere = rule?.at("where");
  const where = ownWhere?.present ? ownWhere : json.at("where");
  return askedOf(
    edge,
    walks.map((walk) => readBranch(outer, edge, walk, rule, where)),
  );
}

function askedOf(edge: number, branches: readonly Branch[]): EdgeAsked {
  return { edge, direction: branches.length > 1 ? "both" : branches[0]!.direction, branches };
}

function walksOf({ scope: { model }, from }: Outer, edge: number, direction: HopDirection): Direction[] {
  const ends = model.edges[edge]!;
  const here = from === undefined ? undefined : model.nodes[from]!.name;
  const walks: Direction[] = [];
  if (direction !== "in" && (here === undefined || ends.from === here)) walks.push("out");
  if (direction !== "out" && (here === undefined || ends.to === here)) walks.push("in");
  return walks;
}

function impossible(json: JsonReader, { scope, from }: Outer, edge: number, direction: HopDirection): RdgError {
  const { model, mayRead = () => true } = scope;
  const ends = model.edges[edge]!;
  const here = model.nodes[from!]!.name;
  const possible = model.edges
    .filter(({ name }) => mayRead(name))
    .flatMap((candidate) => [
      ...(candidate.from === here ? [`${candidate.name} out`] : []),
      ...(candidate.to === here ? [`${candidate.name} in`] : []),
    ]);
  return json.fail(
    "impossible_hop",
    `"${ends.name}" leads from "${ends.from}" to "${ends.to}"; walked "${direction}" it does not leave a node of type "${here}".`,
    possible.length === 0 ? `No edge type touches "${here}".` : `From "${here}": ${possible.join(", ")}.`,
  );
}

function readBranch(
  { json, scope, from: anchor }: Outer,
  edge: number,
  direction: Direction,
  rule: JsonReader | undefined,
  where: JsonReader,
): Branch {
  const { model, limits, nowMs } = scope;
  // A path may end at a node of a type that the condition on those between does not fit.
  const anywhere = anchor === undefined;
  const { from, to } = model.edges[edge]!;
  const typeOf = (name: string): number => model.nodes.findIndex((node) => node.name === name);
  const [near, far] = direction === "out" ? [typeOf(from), typeOf(to)] : [typeOf(to), typeOf(from)];
  const moment = (name: "since" | "until"): number | undefined => {
    const own = rule?.at(name);
    return readMoment(own?.present ? own : json.at(name), nowMs, name === "since");
  };
  if (where.present) where.object(["edge", "node"]);
  const condition = (of: "edge" | "node", type: PropertyOwner): Filter | undefined =>
    where.present && where.at(of).present ? readCondition(where.at(of), of, type, limits, nowMs) : undefined;
  return {
    edge,
    direction,
    near,
    far,
    sinceMs: moment("since"),
    untilMs: moment("until"),
    edgeFilter: condition("edge", model.edges[edge]!),
    nodeFilter: unlessLacking(anywhere ? never : undefined, () => condition("node", model.nodes[far]!)),
  };
}

function unlessLacking(lacking: Filter | undefined, read: () => Filter | undefined): Filter | undefined {
  try {
    return read();
  } catch (error) {
    if (lacking === undefined || !isLacking(error)) throw error;
    return lacking;
  }
}

function readMoment(json: JsonReader, nowMs: number, canBeEver: boolean): number | undefined {
  if (!json.present || (canBeEver && json.value === "ever")) return undefined;
  const moment = parseMoment(json.text("a moment"), nowMs);
  if (moment !== undefined) return moment;
  throw json.fail("bad_moment", "This is not a moment.", `Give ${momentForms}${canBeEver ? `, or "ever"` : ""}.`);
}

/** A condition names a property that this type does not have. */
function isLacking(error: unknown): boolean {
  return error instanceof RdgError && error.code === "unknown_property";
}

/** Indexes of the selected properties per type, ascending; all of them when nothing is said. A property must be one of at least one type of `among`. */
export function readSelect(
  json: JsonReader,
  types: readonly PropertyOwner[],
  among: ReadonlySet<number>,
): readonly (readonly number[])[] {
  if (!json.present) return types.map(({ properties }) => properties.map((_, i) => i));
  const selected = types.map(() => new Set<number>());
  for (const item of json.list("properties", 0, 1_000)) {
    const name = item.text("the name of a property");
    let found = false;
    for (const type of among) {
      const index = types[type]!.properties.findIndex((property) => property.name === name);
      if (index < 0) continue;
      selected[type]!.add(index);
      found = true;
    }
    if (!found)
      throw unknownProperty(
        item,
        name,
        [...among].map((type) => types[type]!),
      );
  }
  return selected.map((indexes) => [...indexes].sort((a, b) => a - b));
}

function unknownProperty(json: JsonReader, name: string, types: readonly PropertyOwner[]): RdgError {
  const names = new Set(types.flatMap(({ properties }) => properties.map((property) => property.name)));
  const of = types.map((type) => `"${type.name}"`);
  const message =
    of.length === 1 ? `${of[0]} has no property "${name}".` : `None of ${of.join(", ")} has a property "${name}".`;
  return json.fail("unknown_property", message, didYouMean(name, names));
}

/** `select` of a question that answers both: what is selected of edges and of nodes. */
export function readSelection(
  json: JsonReader,
  { model }: Scope,
  asked: readonly EdgeAsked[],
  nodeTypes: ReadonlySet<number>,
): { readonly edge: readonly (readonly number[])[]; readonly node: readonly (readonly number[])[] } {
  const select = json.at("select");
  if (select.present) select.object(["edge", "node"]);
  const part = (name: "edge" | "node"): JsonReader => (select.present ? select.at(name) : select);
  return {
    edge: readSelect(part("edge"), model.edges, new Set(asked.map(({ edge }) => edge))),
    node: readSelect(part("node"), model.nodes, nodeTypes),
  };
}
