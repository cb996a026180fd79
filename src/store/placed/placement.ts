// Which store holds which types of a graph, and the part of the definition that each store is given.
//
// A type is on one store whole: an edge type with both directions, a node type with its properties. Every store knows every node type, in the definition's
// order: of those that live elsewhere it holds ids and removals only, so that it can say by itself which of its edges a removed end hides.
import type { EdgeModel, GraphModel, NodeModel } from "../../model/definition.ts";

/** The store of types of which nobody says where they are. */
export const mainStore = "main";

export interface StorePart {
  readonly name: string;
  /** As this store holds it: node types under the definition's indexes, edge types under its own. */
  readonly model: GraphModel;
  /** By node type: whether the nodes themselves are here, not their removals only. */
  readonly homes: readonly boolean[];
  /** By edge type of the definition: its index here, -1 where it is elsewhere. */
  readonly edges: readonly number[];
}

export const storeOf = ({ store = mainStore }: NodeModel | EdgeModel): string => store;

/** The parts that hold any type, the main store's first. One part holds everything where nothing is placed. */
export function partsOf(model: GraphModel): readonly StorePart[] {
  const names = new Set([...model.nodes, ...model.edges].map(storeOf));
  const sorted = [...names].sort((a, b) => Number(b === mainStore) - Number(a === mainStore) || (a < b ? -1 : 1));
  return sorted.map((name) => partOf(model, name));
}

function partOf(model: GraphModel, name: string): StorePart {
  const homes = model.nodes.map((node) => storeOf(node) === name);
  let next = 0;
  const edges = model.edges.map((edge) => (storeOf(edge) === name ? next++ : -1));
  const part: GraphModel = {
    ...model,
    // What expires is forgotten where it lives; its removals are kept for the grace period everywhere.
    nodes: model.nodes.map((node, type) => (homes[type] === true ? node : { name: node.name, properties: [] })),
    edges: model.edges.filter((_, type) => edges[type] !== -1),
  };
  return { name, model: part, homes, edges };
}
