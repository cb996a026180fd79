import type { Components } from "./graph-schemas.ts";
// The JSON forms of model/questions.ts as schemas: single elements, counts, shortest paths, common neighbours.
import { type JsonSchema, answered, closed, count, flag, integer, listOf, text, ref } from "./json-schema.ts";
import { type RequestLimits, requestMembers } from "./traversal-schemas.ts";

const direction: JsonSchema = { type: "string", enum: ["out", "in", "both"] };
const asOf = listOf(ref("Position"));
const cut = answered({ cause: text, reason: text }, ["reason"]);

export function questionSchemas(limits: RequestLimits): Components {
  const whole = requestMembers(limits);
  const { startsMax, limitMax, scannedMax, edgeTypesMax } = limits;
  const select = listOf(ref("PropertyName"), { max: 1_000 });
  const conditions = closed({ edge: ref("Condition"), node: ref("Condition") });
  const times = { since: ref("Since"), until: ref("Moment") };
  const one = closed({ type: ref("NodeType"), id: ref("Id") }, ["type", "id"]);
  const many = (min: number, max: number): JsonSchema =>
    closed({ type: ref("NodeType"), ids: listOf(ref("Id"), { min, max }) }, ["type", "ids"]);
  const pair = closed({ from: ref("Id"), to: ref("Id") }, ["from", "to"]);
  const selected = closed({ edge: select, node: select });
  return {
    EdgeAsked: closed({ type: ref("EdgeType"), direction, ...times, where: conditions }, ["type"]),
    EdgesAsked: {
      description: "One edge type; several; or `*`: all that the schema allows.",
      anyOf: [
        ref("EdgeType"),
        { const: "*" },
        listOf({ anyOf: [ref("EdgeType"), ref("EdgeAsked")] }, { min: 1, max: edgeTypesMax }),
      ],
    },
    NodesRequest: closed(
      { type: ref("NodeType"), ids: listOf(ref("Id"), { min: 1, max: startsMax }), select, ...whole },
      ["type", "ids"],
    ),
    NodesAnswer: answered({ nodes: listOf(ref("Node")), asOf }),
    EdgesRequest: closed({ type: ref("EdgeType"), pairs: listOf(pair, { min: 1, max: startsMax }), select, ...whole }, [
      "type",
      "pairs",
    ]),
    EdgesAnswer: answered({ edges: listOf(ref("Edge")), asOf }),
    CountRequest: closed(
      {
        from: many(1, startsMax),
        edge: ref("EdgesAsked"),
        direction,
        ...times,
        where: conditions,
        budget: closed({ scanned: integer(1, scannedMax) }),
        ...whole,
      },
      ["from", "edge"],
    ),
    CountAnswer: answered({
      counts: listOf(
        answered({ id: ref("Id"), edge: ref("EdgeType"), direction, count, atLeast: { const: true } }, ["atLeast"]),
      ),
      asOf,
    }),
    ShortestPathRequest: closed(
      {
        from: one,
        to: one,
        edge: ref("EdgesAsked"),
        direction,
        maxDepth: integer(1, 12),
        ...times,
        where: conditions,
        limit: integer(1, limitMax),
        budget: closed({ scanned: integer(1, scannedMax) }),
        select: selected,
        ...whole,
      },
      ["from", "to"],
    ),
    ShortestPathAnswer: answered(
      {
        found: flag,
        length: count,
        path: answered({ nodes: listOf(ref("Node")), edges: listOf(ref("Edge")) }),
        complete: flag,
        truncated: cut,
        asOf,
      },
      ["length", "path", "truncated"],
    ),
    CommonNeighboursRequest: closed(
      {
        of: many(2, 10),
        edge: ref("EdgesAsked"),
        direction,
        limit: integer(1, limitMax),
        order: { type: "string", enum: ["latest", "any"] },
        ...times,
        where: conditions,
        budget: closed({ scanned: integer(1, scannedMax) }),
        select: selected,
        ...whole,
      },
      ["of", "edge"],
    ),
    CommonNeighboursAnswer: answered(
      { nodes: listOf(ref("Node")), edges: listOf(ref("Edge")), complete: flag, truncated: cut, asOf },
      ["truncated"],
    ),
  };
}
