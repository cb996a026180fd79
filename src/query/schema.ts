// Which node types an edge type leads between, and types by name, by index: made once per definition.
import type { GraphModel } from "../model/definition.ts";

export interface Schema {
  readonly nodeIndex: ReadonlyMap<string, number>;
  readonly edgeIndex: ReadonlyMap<string, number>;
  /** By index of the edge type: indexes of the node types at its ends. */
  readonly edgeFrom: readonly number[];
  readonly edgeTo: readonly number[];
}

const schemas = new WeakMap<GraphModel, Schema>();

export function schemaOf(model: GraphModel): Schema {
  const known = schemas.get(model);
  if (known !== undefined) return known;
  const nodeIndex = new Map(model.nodes.map(({ name }, i) => [name, i]));
  const schema = {
    nodeIndex,
    edgeIndex: new Map(model.edges.map(({ name }, i) => [name, i])),
    edgeFrom: model.edges.map(({ from }) => nodeIndex.get(from)!),
    edgeTo: model.edges.map(({ to }) => nodeIndex.get(to)!),
  };
  schemas.set(model, schema);
  return schema;
}
