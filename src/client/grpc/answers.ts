// Messages of rdg.v1 as answers in their JSON forms. Integers are numbers where these hold them exactly, else decimal texts: only a declaration tells int32 from int64.
import { canonicalInt64, formatBase64 } from "../../model/avro/json-values.ts";
import type {
  CommonNeighboursAnswer,
  CountAnswer,
  EdgesAnswer,
  NodesAnswer,
  QuestionTruncation,
  ShortestPathAnswer,
} from "../../model/questions.ts";
import type { Timestamp } from "../../model/rpc/generated/google/protobuf/timestamp.ts";
import type { Edge, Node, Value } from "../../model/rpc/generated/rdg/v1/element.ts";
import {
  CommonNeighboursResponse,
  CountResponse,
  GetEdgesResponse,
  GetNodesResponse,
  ShortestPathResponse,
} from "../../model/rpc/generated/rdg/v1/question.ts";
import { Direction, Order } from "../../model/rpc/generated/rdg/v1/rule.ts";
import {
  type Branch,
  type Explanation as ExplanationMessage,
  type HopOutcome,
  type TraverseResponse,
  type TraverseSummary,
  type Truncation,
  TruncationCause as CauseMessage,
} from "../../model/rpc/generated/rdg/v1/traverse.ts";
import type {
  BranchExplanation,
  EdgeAnswer,
  Explanation,
  HopAnswer,
  HopDirection,
  JsonValue,
  NodeAnswer,
  RuleOrigin,
  TruncationCause,
} from "../../model/traversal.ts";
import type { AnswerPart, TraverseEnd } from "../transport.ts";

const directions: ReadonlyMap<Direction, HopDirection> = new Map([
  [Direction.DIRECTION_OUT, "out"],
  [Direction.DIRECTION_IN, "in"],
  [Direction.DIRECTION_BOTH, "both"],
]);
const causes: ReadonlyMap<CauseMessage, TruncationCause> = new Map([
  [CauseMessage.TRUNCATION_CAUSE_LIMIT, "limit"],
  [CauseMessage.TRUNCATION_CAUSE_SCAN, "scan"],
  [CauseMessage.TRUNCATION_CAUSE_BUDGET_EDGES, "budget_edges"],
  [CauseMessage.TRUNCATION_CAUSE_BUDGET_BYTES, "budget_bytes"],
  [CauseMessage.TRUNCATION_CAUSE_DEADLINE, "deadline"],
]);

export function* partsOfResponse({ chunks, summary }: TraverseResponse): Generator<AnswerPart> {
  for (const { level, nodes, edges } of chunks) {
    yield { level, nodes: nodes.map(nodeOf), ...(edges.length > 0 && { edges: edges.map(edgeOf) }) };
  }
  if (summary !== undefined) yield { end: endOf(summary) };
}

export const questionAnswers = {
  nodes: (bytes: Uint8Array): NodesAnswer => {
    const { nodes, asOf } = GetNodesResponse.decode(bytes);
    return { nodes: nodes.map(nodeOf), asOf };
  },
  edges: (bytes: Uint8Array): EdgesAnswer => {
    const { edges, asOf } = GetEdgesResponse.decode(bytes);
    return { edges: edges.map(edgeOf), asOf };
  },
  count: (bytes: Uint8Array): CountAnswer => {
    const { counts, asOf } = CountResponse.decode(bytes);
    return {
      counts: counts.map(({ id, edge, direction, count, atLeast }) => ({
        id,
        edge,
        direction: directionOf(direction),
        count: Number(count),
        ...(atLeast && { atLeast }),
      })),
      asOf,
    };
  },
  shortestPath: (bytes: Uint8Array): ShortestPathAnswer => {
    const { found, length, nodes, edges, complete, truncated, asOf } = ShortestPathResponse.decode(bytes);
    const path = { nodes: nodes.map(nodeOf), edges: edges.map(edgeOf) };
    return { found, ...(found && { length: length ?? 0, path }), complete, ...questionTruncated(truncated), asOf };
  },
  commonNeighbours: (bytes: Uint8Array): CommonNeighboursAnswer => {
    const { nodes, edges, complete, truncated, asOf } = CommonNeighboursResponse.decode(bytes);
    return { nodes: nodes.map(nodeOf), edges: edges.map(edgeOf), complete, ...questionTruncated(truncated), asOf };
  },
};

function questionTruncated(truncated: Truncation | undefined): { readonly truncated?: QuestionTruncation } {
  if (truncated === undefined) return {};
  return {
    truncated: { cause: causes.get(truncated.cause) ?? "limit", reason: truncated.reason } as QuestionTruncation,
  };
}

function endOf({ hops, complete, asOf, timings, fromHop, enrichments, explanation }: TraverseSummary): TraverseEnd {
  return {
    ...(fromHop !== undefined && { fromHop }),
    hops: hops.map(hopOf),
    complete,
    asOf,
    timings: timings ?? { waitMs: 0, hopsMs: [], nodesMs: 0, encodeMs: 0 },
    ...(enrichments.length > 0 && {
      enrichments: enrichments.map(({ cause, ...outcome }) => ({ ...outcome, ...(cause !== "" && { cause }) })),
    }),
    ...(explanation && { explain: explanationOf(explanation) }),
  };
}

function hopOf({ truncated, hop, repetition }: HopOutcome): HopAnswer {
  const where = { ...(hop !== undefined && { hop }), ...(repetition !== undefined && { repetition }) };
  if (truncated === undefined) return { ...where, complete: true };
  const { cause, nodes, next, reason } = truncated;
  const how = { ...(next !== "" && { next }), ...(reason !== "" && { reason }) };
  return { ...where, complete: false, truncated: { cause: causes.get(cause) ?? "limit", nodes, ...how } };
}

function nodeOf({ type, id, firstSeen, lastSeen, properties, enriched }: Node): NodeAnswer {
  const seen = firstSeen !== undefined && lastSeen !== undefined;
  return {
    type,
    id,
    ...(seen && { firstSeen: timeOf(firstSeen), lastSeen: timeOf(lastSeen), properties: objectOf(properties) }),
    ...(enriched.size > 0 && { enriched: objectOf(enriched) as NonNullable<NodeAnswer["enriched"]> }),
  };
}

function edgeOf({ type, fromId, toId, firstSeen, lastSeen, properties }: Edge): EdgeAnswer {
  return {
    type,
    from: fromId,
    to: toId,
    firstSeen: timeOf(firstSeen!),
    lastSeen: timeOf(lastSeen!),
    properties: objectOf(properties),
  };
}

function objectOf(values: ReadonlyMap<string, Value>): { readonly [name: string]: JsonValue } {
  return Object.fromEntries([...values].map(([name, value]) => [name, jsonOf(value)]));
}

function jsonOf({ kind }: Value): JsonValue {
  switch (kind?.$case) {
    case "boolValue":
    case "stringValue":
    case "doubleValue":
      return kind.value;
    case "int64Value": {
      const integer = canonicalInt64(kind.value);
      return typeof integer === "bigint" ? integer.toString() : integer;
    }
    case "timestampValue":
      return timeOf(kind.value);
    case "bytesValue":
      return formatBase64(kind.value);
    case "listValue":
      return kind.value.values.map(jsonOf);
    case "mapValue":
      return objectOf(kind.value.entries);
    case "nullValue":
    case undefined:
      return null;
  }
}

function timeOf({ seconds, nanos }: Timestamp): string {
  return new Date(Number(seconds) * 1_000 + Math.floor(nanos / 1_000_000)).toISOString();
}

function directionOf(direction: Direction): HopDirection {
  return directions.get(direction) ?? "out";
}

function explanationOf({ hops, budget, levels, totals }: ExplanationMessage): Explanation {
  return {
    hops: hops.map(({ hop, repetition, branches, pruned }) => ({
      hop,
      ...(repetition !== undefined && { repetition }),
      branches: branches.map(branchOf),
      pruned: pruned.map(({ edge, direction, reason }) => ({ edge, direction: directionOf(direction), reason })),
    })),
    budget: budget ?? { edges: 0, scanned: 0, bytes: 0, timeoutMs: 0 },
    ...(totals && { levels, totals }),
  };
}

function branchOf({ edge, direction, fromTypes, toTypes, rule, origins, filtersInStore }: Branch): BranchExplanation {
  const { limit = 0, order, since, until } = rule ?? {};
  return {
    edge,
    direction: directionOf(direction),
    from: fromTypes,
    to: toTypes,
    rule: {
      limit,
      order: order === Order.ORDER_ANY ? "any" : "latest",
      ...(since !== undefined && { since }),
      ...(until !== undefined && { until }),
    },
    origins: Object.fromEntries(origins) as Record<"limit" | "order" | "since", RuleOrigin>,
    filtersInStore,
  };
}
