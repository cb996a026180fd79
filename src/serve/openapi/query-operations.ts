// What the routes of queries take and answer.
import type { GraphModel } from "../../model/definition.ts";
import { type JsonSchema, ref } from "./json-schema.ts";
import { type Operation, answer, body, json, linesType } from "./operation.ts";

export type Operations = Readonly<Record<string, Operation>>;

/** Beyond those of every route. */
const problems = [404, 413, 415, 504];

export function queryOperations(model: GraphModel): Operations {
  const examples = examplesOf(model);
  return {
    "POST /v1/traverse": asked(
      "traverse",
      "Walks from the nodes that are named, hop by hop; or goes on with an answer that was cut short",
      { anyOf: [ref("TraverseRequest"), ref("ContinueRequest")], examples },
      streamed,
    ),
    "POST /v1/query": asked("query", "The same, asked as text", ref("QueryRequest"), streamed),
    "POST /v1/nodes": asked("getNodes", "Nodes by their ids", ref("NodesRequest"), json(ref("NodesAnswer"))),
    "POST /v1/edges": asked("getEdges", "Edges by their ends", ref("EdgesRequest"), json(ref("EdgesAnswer"))),
    "POST /v1/count": asked(
      "count",
      "Neighbours per node and edge type",
      ref("CountRequest"),
      json(ref("CountAnswer")),
    ),
    "POST /v1/shortest-path": asked(
      "shortestPath",
      "A shortest path between two nodes, up to a depth",
      ref("ShortestPathRequest"),
      json(ref("ShortestPathAnswer")),
    ),
    "POST /v1/common-neighbours": asked(
      "commonNeighbours",
      "What several nodes have in common",
      ref("CommonNeighboursRequest"),
      json(ref("CommonNeighboursAnswer")),
    ),
    "GET /v1/nodes/:type/:id": {
      id: "getNode",
      tag: "Queries",
      summary: "One node",
      params: { type: ref("NodeType"), id: ref("Id") },
      answers: { 200: answer("The node.", json(ref("Node"))) },
      problems,
    },
    "GET /v1/edges/:type/:from/:to": {
      id: "getEdge",
      tag: "Queries",
      summary: "One edge",
      params: { type: ref("EdgeType"), from: ref("Id"), to: ref("Id") },
      answers: { 200: answer("The edge.", json(ref("Edge"))) },
      problems,
    },
  };
}

const streamed = {
  ...json(ref("TraverseAnswer")),
  [linesType]: { schema: { type: "string", description: "A TraversalLine per line; asked for by Accept." } },
};

function asked(
  id: string,
  summary: string,
  request: JsonSchema,
  answered: Operation["answers"][number]["content"],
): Operation {
  return {
    id,
    tag: "Queries",
    summary,
    body: body(json(request)),
    answers: { 200: answer("The answer.", answered) },
    problems,
  };
}

function examplesOf({ edges }: GraphModel): readonly unknown[] {
  return edges.slice(0, 1).map(({ name, from }) => ({ from: { type: from, ids: ["a1"] }, hops: [{ edge: name }] }));
}
