// All types of one graph in memory: what frames are applied to and readers read from.
import type { GraphModel } from "../../model/definition.ts";
import { EdgeType } from "./edge-type.ts";
import { NodeType } from "./node-type.ts";
import { Epoch } from "./pages.ts";

export class Graph {
  readonly model: GraphModel;
  readonly epoch = new Epoch();
  readonly nodes: readonly NodeType[];
  readonly edges: readonly EdgeType[];

  constructor(model: GraphModel) {
    this.model = model;
    this.nodes = model.nodes.map((_, index) => new NodeType(model, index, this.epoch));
    this.edges = model.edges.map((_, index) => new EdgeType(model, index, this.nodes, this.epoch));
  }

  /** Gives a new graph its empty tables; a restored one has them. */
  create(): void {
    for (const type of [...this.nodes, ...this.edges]) type.table.create();
  }

  /** Bytes in use; freed rows and blocks, which are used again, are not counted. */
  get usedBytes(): number {
    let bytes = 0;
    for (const type of this.nodes) bytes += type.usedBytes;
    for (const type of this.edges) bytes += type.usedBytes;
    return bytes;
  }
}
