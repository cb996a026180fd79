// The public entry point of RDG for programs that define, run or embed a graph.
export const version = "0.1.0";
