// What a checkpoint consists of: every page list of the graph under a stable name, and the little state beside the pages as plain data.
import type { GraphModel } from "../../model/definition.ts";
import { canonicalJson } from "../../model/fingerprint.ts";
import type { AppliedState } from "./applied.ts";
import type { Arena, ArenaState } from "./arena.ts";
import type { ElementType } from "./element-type.ts";
import type { Graph } from "./graph.ts";
import type { PageList } from "./pages.ts";
import { layoutFormat, listsOf, rowLayoutOf } from "./row-layout.ts";
import type { RowsState } from "./rows.ts";

/** A node's or edge's state beside its pages. */
interface TypeState {
  readonly rows: RowsState;
  readonly tableCounts: readonly number[];
  readonly arenas: readonly ArenaState[];
}

export interface GraphState {
  readonly applied: AppliedState;
  readonly nodes: readonly TypeState[];
  readonly edges: readonly TypeState[];
  /** Rows of nodes that only waited for readers. */
  readonly retired: readonly { readonly type: number; readonly row: number }[];
}

/** The page lists of the graph, in a fixed order. */
export function pageListsOf(graph: Graph): readonly { readonly name: string; readonly pages: PageList }[] {
  const common = (type: ElementType, name: string) => [
    { name: `${name}.rows`, pages: type.rows.pages },
    { name: `${name}.removals`, pages: type.rows.removals },
    { name: `${name}.values`, pages: type.values.pages },
  ];
  const nodes = graph.nodes.flatMap((type) => [
    ...common(type, `nodes.${type.index}`),
    { name: `nodes.${type.index}.table`, pages: type.table.shards },
    { name: `nodes.${type.index}.ids`, pages: type.ids.pages },
  ]);
  const edges = graph.edges.flatMap((type) => [
    ...common(type, `edges.${type.index}`),
    { name: `edges.${type.index}.table`, pages: type.table.shards },
    { name: `edges.${type.index}.out`, pages: type.out.arena.pages },
    { name: `edges.${type.index}.in`, pages: type.in.arena.pages },
  ]);
  return [...nodes, ...edges];
}

export function stateOf(graph: Graph, applied: AppliedState, retired: GraphState["retired"]): GraphState {
  return {
    applied,
    nodes: graph.nodes.map((type) => typeState(type, [type.values, type.ids])),
    edges: graph.edges.map((type) => typeState(type, [type.values, type.out.arena, type.in.arena])),
    retired,
  };
}

/** Gives a graph whose pages were adopted the state that belongs to them. */
export function restoreState(graph: Graph, state: GraphState): void {
  for (const [i, type] of graph.nodes.entries()) restoreType(type, [type.values, type.ids], state.nodes[i]!);
  for (const [i, type] of graph.edges.entries()) {
    restoreType(type, [type.values, type.out.arena, type.in.arena], state.edges[i]!);
  }
  for (const { type, row } of state.retired) graph.nodes[type]!.free(row);
}

type Tabled = Graph["nodes"][number] | Graph["edges"][number];

function typeState(type: Tabled, arenas: readonly Arena[]): TypeState {
  return {
    rows: type.rows.state(),
    tableCounts: [...type.table.counts],
    arenas: arenas.map((arena) => arena.state()),
  };
}

function restoreType(type: Tabled, arenas: readonly Arena[], state: TypeState): void {
  type.rows.restore(state.rows);
  type.table.counts.set(state.tableCounts);
  for (const [i, arena] of arenas.entries()) arena.restore(state.arenas[i]!);
}

/** Everything of the definition that decides where things lie, as text: pages fit a graph exactly when these are equal. */
export function layoutOf(model: GraphModel): string {
  return canonicalJson({
    format: layoutFormat,
    nodes: model.nodes.map((node) => [node.name, rowLayoutOf(node, listsOf(model, node).length), listsOf(model, node)]),
    edges: model.edges.map((edge) => [edge.name, edge.from, edge.to, rowLayoutOf(edge, 0)]),
  });
}
