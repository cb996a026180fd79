// The edges that a question asks for, untrusted JSON, as branches: one edge type in one direction each, with its bounds and conditions.
import { RdgError } from "../../core/errors.ts";
import type { Filter } from "../../model/filter.ts";
import type { HopDirection } from "../../model/traversal.ts";
import type { Direction } from "../../store/port.ts";
import type { JsonReader } from "../json-reader.ts";
import { momentForms, parseMoment } from "../moments.ts";
import { readCondition } from "../where.ts";
import { type PropertyOwner, type Scope, readEdgeType } from "./request.ts";

export const edgeNames = ["edge", "direction", "since", "until", "where"] as const;

/** Of nodes of a type that lacks a property of the condition. */
const never: Filter = { kind: "or", filters: [] };

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
  if (!edge.present && from !== undefined) edge.text(`an edge type, a list of them, or "*"`);
  const asked =
    !edge.present || edge.value === "*"
      ? readAny(outer, given ?? "both")
      : readNamed(edge, outer, given ?? directionDefault);
  if (outer.lacking !== undefined) {
    const branches = asked.flatMap((each) => each.branches);
    if (branches.every(({ nodeFilter }) => nodeFilter === never)) throw outer.lacking;
  }
  return asked;
}

function readNamed(edge: JsonReader, outer: Outer, direction: HopDirection): EdgeAsked[] {
  const items = typeof edge.value === "string" ? [edge] : edge.list("edge types", 1, outer.scope.limits.edgeTypesMax);
  const asked = items.map((item) => readOne(item, outer, direction));
  const known = new Set<string>();
  for (const [i, { branches }] of asked.entries()) {
    for (const branch of branches) {
      const key = `${branch.edge} ${branch.direction}`;
      if (known.has(key)) throw askedTwice(items[i]!, outer.scope.model.edges[branch.edge]!.name);
      known.add(key);
    }
  }
  return asked;
}

function askedTwice(json: JsonReader, name: string): RdgError {
  return json.fail("not_allowed", `"${name}" is asked for twice in the same direction.`, "Say it once.");
}

interface Outer {
  /** Why the condition on nodes does not fit a type. */
  lacking?: RdgError;
  /** The request, or the part of it that says what holds for all edge types. */
  readonly json: JsonReader;
  readonly scope: Scope;
  readonly from: number | undefined;
}

function readAny(outer: Outer, direction: HopDirection): EdgeAsked[] {
  const { model, mayRead = () => true } = outer.scope;
  const place = outer.json.at("edge");
  const asked: EdgeAsked[] = [];
  let lacking: RdgError | undefined;
  for (const [edge, { name, from, to }] of model.edges.entries()) {
    if (![name, from, to].every((type) => mayRead(type))) continue;
    const walks = walksOf(outer, edge, direction);
    if (walks.length === 0) continue;
    const branches: Branch[] = [];
    for (const walk of walks) {
      try {
        branches.push(readBranch(outer, edge, walk, undefined));
      } catch (error) {
        if (!isLacking(error)) throw error;
        lacking = error;
      }
    }
    if (branches.length > 0) asked.push(askedOf(edge, branches));
  }
  if (asked.length > 0) return asked;
  if (lacking !== undefined) throw lacking;
  const here = outer.from === undefined ? "a node" : `"${model.nodes[outer.from]!.name}"`;
  throw place.fail("impossible_hop", `No edge type, walked "${direction}", leaves ${here}.`, "");
}

function readOne(item: JsonReader, outer: Outer, directionDefault: HopDirection): EdgeAsked {
  const { scope } = outer;
  const isRule = typeof item.value === "object" && item.value !== null && !Array.isArray(item.value);
  const rule = isRule ? item.object(["type", "direction", "since", "until", "where"]) : undefined;
  const name = rule?.at("type") ?? item;
  const edge = readEdgeType(name, scope);
  const own = rule?.at("direction");
  const direction = own?.present ? own.oneOf(["out", "in", "both"]) : directionDefault;
  const walks = walksOf(outer, edge, direction);
  if (walks.length === 0) throw impossible(name, outer, edge, direction);
  return askedOf(
    edge,
    walks.map((walk) => readBranch(outer, edge, walk, rule)),
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

function readBranch(outer: Outer, edge: number, direction: Direction, rule: JsonReader | undefined): Branch {
  const { json, scope } = outer;
  const { model, limits, nowMs } = scope;
  const { from, to } = model.edges[edge]!;
  const typeOf = (name: string): number => model.nodes.findIndex((node) => node.name === name);
  const [near, far] = direction === "out" ? [typeOf(from), typeOf(to)] : [typeOf(to), typeOf(from)];
  const moment = (name: "since" | "until"): number | undefined => {
    const own = rule?.at(name);
    return readMoment(own?.present ? own : json.at(name), nowMs, name === "since");
  };
  const condition = (of: "edge" | "node", type: PropertyOwner): Filter | undefined => {
    const [own, general] = [rule, json].map((each) => {
      const where = each?.at("where");
      return where?.present ? where.object(["edge", "node"]).at(of) : undefined;
    });
    const narrowest = own?.present ? own : general;
    return narrowest?.present ? readCondition(narrowest, of, type, limits, nowMs) : undefined;
  };
  return {
    edge,
    direction,
    near,
    far,
    sinceMs: moment("since"),
    untilMs: moment("until"),
    edgeFilter: condition("edge", model.edges[edge]!),
    nodeFilter: unlessLacking(outer, () => condition("node", model.nodes[far]!)),
  };
}

/** A path may end at a node of a type that the condition on those between does not fit. */
function unlessLacking(outer: Outer, read: () => Filter | undefined): Filter | undefined {
  try {
    return read();
  } catch (error) {
    if (outer.from !== undefined || !isLacking(error)) throw error;
    outer.lacking ??= error;
    return never;
  }
}

function readMoment(json: JsonReader, nowMs: number, canBeEver: boolean): number | undefined {
  if (!json.present || (canBeEver && json.value === "ever")) return undefined;
  const moment = parseMoment(json.text("a moment"), nowMs);
  if (moment !== undefined) return moment;
  throw json.fail("bad_moment", "This is not a moment.", `Give ${momentForms}${canBeEver ? `, or "ever"` : ""}.`);
}

/** A condition names a property that this type does not have. */
function isLacking(error: unknown): error is RdgError {
  return error instanceof RdgError && error.code === "unknown_property";
}
