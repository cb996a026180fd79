// Which node types a hop of a query text can reach: what lets a path leave types out, and a type at a node choose among the edges that lead there.
import type { GraphModel } from "../../model/definition.ts";
import type { EdgeRule, HopDirection } from "../../model/traversal.ts";
import { schemaOf } from "../schema.ts";

/** Edge types by index, walked this way, from nodes of these types. */
export interface Leap {
  readonly edges: readonly number[];
  readonly direction: HopDirection;
  readonly from: readonly number[];
}

/** The ways in which an edge type can be walked from here, each with the type it leads to. */
function waysOf(model: GraphModel, edge: number, { direction, from }: Leap): { way: "out" | "in"; to: number }[] {
  const { edgeFrom, edgeTo } = schemaOf(model);
  const ways: { way: "out" | "in"; to: number }[] = [];
  if (direction !== "in" && from.includes(edgeFrom[edge]!)) ways.push({ way: "out", to: edgeTo[edge]! });
  if (direction !== "out" && from.includes(edgeTo[edge]!)) ways.push({ way: "in", to: edgeFrom[edge]! });
  return ways;
}

/** Indexes of the node types that are reached, each once. */
export function reachedTypes(model: GraphModel, leap: Leap): number[] {
  return [...new Set(leap.edges.flatMap((edge) => waysOf(model, edge, leap).map(({ to }) => to)))];
}

/** What is reached when the leap is repeated, in any of its repetitions. */
export function reachedRepeatedly(model: GraphModel, leap: Leap, times: number): number[] {
  const reached = new Set<number>();
  let { from } = leap;
  for (let i = 0; i < times && from.length > 0; i++) {
    from = reachedTypes(model, { ...leap, from });
    for (const type of from) reached.add(type);
  }
  return [...reached];
}

/** The edges of a leap that lead to one type, as a request names them: with a direction of their own where not all of what was asked leads there. */
export function edgesTo(model: GraphModel, leap: Leap, type: number): (string | EdgeRule)[] {
  return leap.edges.flatMap((edge): (string | EdgeRule)[] => {
    const ways = waysOf(model, edge, leap);
    const there = ways.filter(({ to }) => to === type);
    const { name } = model.edges[edge]!;
    if (there.length === 0) return [];
    return there.length === ways.length ? [name] : [{ type: name, direction: there[0]!.way }];
  });
}
