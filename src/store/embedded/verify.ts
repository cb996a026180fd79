// Proves the graph against itself: both directions agree, no list is out of order, every table and every count leads back to its rows.
import type { Clock } from "../../core/clock.ts";
import type { Turns } from "../../core/turns.ts";
import { compareRanges } from "../../model/update/encoded-value.ts";
import type { Difference } from "../port.ts";
import type { AdjacencyLists } from "./adjacency.ts";
import { type EdgeType, fromAt, toAt } from "./edge-type.ts";
import type { Graph } from "./graph.ts";
import type { NodeType } from "./node-type.ts";
import { Pacer } from "./pacer.ts";

export async function* verifyGraph(
  graph: Graph,
  clock: Clock,
  turns: Turns,
  signal: AbortSignal | undefined,
): AsyncIterable<Difference> {
  const pacer = new Pacer(clock, turns);
  for (const type of graph.nodes) {
    for (let row = 0; row < type.rows.count; row++) {
      signal?.throwIfAborted();
      if (pacer.isDue) await pacer.pause();
      if (!type.isGone(row)) yield* verifyNode(graph, type, row);
    }
  }
  for (const type of graph.edges) {
    for (let row = 0; row < type.rows.count; row++) {
      signal?.throwIfAborted();
      if (pacer.isDue) await pacer.pause();
      if (!type.rows.isFree(row)) yield* verifyEdge(type, row);
    }
  }
}

function* verifyNode(graph: Graph, type: NodeType, row: number): Generator<Difference> {
  const difference = (what: string): Difference => ({ type: type.model.name, element: type.id(row), what });
  const { bytes, start, end } = type.idBytes(row);
  if (type.find(bytes, start, end) !== row) yield difference("is not found by its id");
  let listed = 0;
  for (const edges of graph.edges) {
    for (const lists of [edges.out, edges.in]) {
      if (lists.nodes !== type) continue;
      const what = verifyList(edges, lists, row);
      if (what !== undefined) yield difference(`${edges.model.name}, ${lists === edges.out ? "out" : "in"}: ${what}`);
      listed += lists.size(row);
    }
  }
  if (listed > type.holders(row)) yield difference(`is held by ${type.holders(row)} edges, and ${listed} are listed`);
}

/** A list in strict order has no edge twice; that it has every edge is proved from the edges. */
function verifyList(edges: EdgeType, lists: AdjacencyLists, node: number): string | undefined {
  const size = lists.size(node);
  const walk = lists.walk(node, size);
  const [ownAt, otherAt] = lists === edges.out ? [fromAt, toAt] : [toAt, fromAt];
  let beforeMs = Infinity;
  let before = -1;
  for (let i = 0; i < size; i++) {
    if (!walk.next()) return `has ${i} entries, and its head says ${size}`;
    const { timeMs, edge, neighbour } = walk;
    if (edge >= edges.rows.count || edges.rows.isFree(edge)) return "has an edge that does not exist";
    const what = (fault: string): string => `the edge to ${lists.neighbours.id(neighbour)} ${fault}`;
    if (edges.rows.word(edge, ownAt) !== node || edges.rows.word(edge, otherAt) !== neighbour)
      return what("is another");
    if (edges.rows.lastSeenMs(edge) !== timeMs) return what("was last seen at another time");
    if (!edges.isListed(edge)) return what("is removed");
    if (timeMs > beforeMs || (timeMs === beforeMs && compareIds(lists.neighbours, neighbour, before) <= 0)) {
      return what("is out of order");
    }
    beforeMs = timeMs;
    before = neighbour;
  }
  return walk.next() ? `has more entries than the ${size} that its head says` : undefined;
}

function* verifyEdge(type: EdgeType, row: number): Generator<Difference> {
  const from = type.rows.word(row, fromAt);
  const to = type.rows.word(row, toAt);
  const difference = (what: string): Difference => ({
    type: type.model.name,
    element: `${type.from.id(from)} -> ${type.to.id(to)}`,
    what,
  });
  if (type.find(from, to) !== row) yield difference("is not found by its ends");
  if (!type.isListed(row)) return;
  const lastMs = type.rows.lastSeenMs(row);
  if (!type.out.has(from, lastMs, row, to)) yield difference("is missing in the list of its origin");
  if (!type.in.has(to, lastMs, row, from)) yield difference("is missing in the list of its target");
}

function compareIds(nodes: NodeType, a: number, b: number): number {
  const { bytes, start, end } = nodes.idBytes(b);
  const own = nodes.idBytes(a);
  return compareRanges(own.bytes, own.start, own.end, bytes, start, end);
}
