// What the document's examples import as "./graph.ts".
export * from "../../../../examples/streaming/graph.ts";
