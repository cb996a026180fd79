// The JSON forms of model/traversal.ts as schemas: what a traversal is asked with, and what it answers.
import type { Components } from "./graph-schemas.ts";
import {
  type JsonSchema,
  answered,
  anything,
  closed,
  count,
  describe,
  flag,
  integer,
  listOf,
  mapOf,
  milliseconds,
  ref,
  text,
} from "./json-schema.ts";

/** What the server allows in one request. */
export interface RequestLimits {
  readonly startsMax: number;
  readonly hopsMax: number;
  /** Edge types that one hop names. */
  readonly edgeTypesMax: number;
  readonly limitMax: number;
  readonly edgesMax: number;
  readonly scannedMax: number;
  readonly bytesMax: number;
  readonly timeoutMsMax: number;
  readonly testsMax: number;
  readonly inValuesMax: number;
  readonly waitForMax: number;
}

/** What a server allows unless told otherwise; the readers of src/query have the same, which a test compares. */
export const requestLimits: RequestLimits = {
  startsMax: 1_000,
  hopsMax: 8,
  edgeTypesMax: 100,
  limitMax: 10_000,
  edgesMax: 100_000,
  scannedMax: 1_000_000,
  bytesMax: 64 * 1024 * 1024,
  timeoutMsMax: 10_000,
  testsMax: 100,
  inValuesMax: 1_000,
  waitForMax: 1_000,
};

const selectedMax = 1_000;
const order: JsonSchema = { type: "string", enum: ["latest", "any"] };
const direction: JsonSchema = { type: "string", enum: ["out", "in", "both"] };
const properties = listOf(ref("PropertyName"), { max: selectedMax });
const scalar: JsonSchema = { type: ["string", "number", "boolean"] };
const momentPattern =
  "^(\\d{1,12}(ms|s|m|h|d)|\\d{4}-\\d\\d-\\d\\d(T\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?(Z|[+-]\\d\\d:\\d\\d))?)$";
const sincePattern = momentPattern.replace("^(", "^(ever|");

export function traversalSchemas(limits: RequestLimits): Components {
  return { ...requestSchemas(limits), ...conditionSchemas(limits), ...answerSchemas, ...explanationSchemas };
}

/** Members that all requests have. */
export function requestMembers({ waitForMax, timeoutMsMax }: RequestLimits): Record<string, JsonSchema> {
  return {
    cache: describe("false: neither read from nor written to the serving cache.", flag),
    waitFor: describe("Answers only when these positions are applied.", listOf(ref("Position"), { max: waitForMax })),
    timeoutMs: describe("For the whole request: waiting and walking.", integer(1, timeoutMsMax)),
  };
}

function requestSchemas(limits: RequestLimits): Components {
  const { startsMax, hopsMax, edgeTypesMax, limitMax, edgesMax, scannedMax, bytesMax } = limits;
  const rule = {
    limit: describe("Edges per node of the frontier and edge type.", integer(1, limitMax)),
    order,
    since: ref("Since"),
    until: ref("Moment"),
  };
  const conditions = closed({ edge: ref("Condition"), node: ref("Condition") });
  const select = closed({ edge: properties, node: properties });
  const whole = {
    ...requestMembers(limits),
    budget: ref("Budget"),
    explain: { type: "string", enum: ["plan", "profile"] },
  };
  const start = closed(
    { type: ref("NodeType"), ids: listOf(ref("Id"), { min: 1, max: startsMax }), select: properties },
    ["type", "ids"],
  );
  const shared = { ...whole, defaults: ref("Rule"), enrich: listOf(text) };
  return {
    Moment: { type: "string", pattern: momentPattern, examples: ["30d", "2026-01-31T08:00:00Z", "2026-01-31"] },
    Since: { type: "string", pattern: sincePattern, examples: ["30d", "ever"] },
    Rule: closed(rule),
    Budget: closed({ edges: integer(1, edgesMax), scanned: integer(1, scannedMax), bytes: integer(1, bytesMax) }),
    EdgeRule: closed({ type: ref("EdgeType"), ...rule, direction, where: conditions, select }, ["type"]),
    EdgeChoice: {
      description: "One edge type; several; or `*`: all that the schema allows from here.",
      anyOf: [
        ref("EdgeType"),
        { const: "*" },
        listOf({ anyOf: [ref("EdgeType"), ref("EdgeRule")] }, { min: 1, max: edgeTypesMax }),
      ],
    },
    Hop: closed(
      {
        ...rule,
        edge: ref("EdgeChoice"),
        direction: describe("`out` unless said; with `*`, `both`.", direction),
        where: conditions,
        select,
        repeat: closed({ times: integer(1, hopsMax), until: ref("Condition") }, ["times"]),
      },
      ["edge"],
    ),
    TraverseRequest: closed({ from: start, hops: listOf(ref("Hop"), { max: hopsMax }), ...shared }, ["from"]),
    ContinueRequest: closed({ continue: text, ...whole }, ["continue"]),
    QueryRequest: closed({ query: describe("Query text.", text), ...shared }, ["query"]),
  };
}

function conditionSchemas({ testsMax, inValuesMax }: RequestLimits): Components {
  const several = listOf(ref("Condition"), { min: 1, max: testsMax });
  return {
    Condition: {
      type: "object",
      description: "All of it must hold. A name is a property, firstSeen or lastSeen; `and`, `or` and `not` combine.",
      properties: { and: several, or: several, not: ref("Condition") },
      additionalProperties: ref("Test"),
    },
    Test: {
      description: "A value by itself means equals.",
      anyOf: [
        scalar,
        closed({
          equals: scalar,
          gt: scalar,
          gte: scalar,
          lt: scalar,
          lte: scalar,
          in: listOf(scalar, { max: inValuesMax }),
          present: flag,
          prefix: text,
        }),
      ],
    },
  };
}

const cause: JsonSchema = { type: "string", enum: ["limit", "scan", "budget_edges", "budget_bytes", "deadline"] };

const answerSchemas: Components = {
  Level: answered({ nodes: listOf(ref("Node")), edges: listOf(ref("Edge")) }, ["edges"]),
  HopAnswer: {
    ...answered(
      {
        complete: flag,
        hop: count,
        repetition: integer(1, 1_000),
        truncated: answered({ cause, nodes: count, next: text, reason: text }, ["next", "reason"]),
      },
      ["hop", "repetition", "truncated"],
    ),
    description: "Where it is not complete, `truncated` says why, and `next` goes on there.",
  },
  Timings: answered({
    waitMs: milliseconds,
    hopsMs: listOf(milliseconds),
    nodesMs: milliseconds,
    encodeMs: milliseconds,
  }),
  EnrichmentAnswer: answered({ name: text, nodes: count, failed: count, cause: text }, ["cause"]),
  TraverseAnswer: answered(
    {
      levels: describe("Level 0 holds the starts that exist.", listOf(ref("Level"))),
      fromHop: count,
      hops: describe("hops[i] tells of levels[i + 1].", listOf(ref("HopAnswer"))),
      complete: flag,
      asOf: listOf(ref("Position")),
      timings: ref("Timings"),
      enrichments: listOf(ref("EnrichmentAnswer")),
      explain: ref("Explanation"),
    },
    ["fromHop", "enrichments", "explain"],
  ),
  TraversalLine: {
    description: "A line of a streamed answer: parts of levels, an end, or an error in its place.",
    oneOf: [
      answered({ level: count, nodes: listOf(ref("Node")) }),
      answered({ level: count, edges: listOf(ref("Edge")) }),
      answered({ end: anything }),
      answered({ error: ref("Problem") }),
    ],
  },
};

const origin: JsonSchema = { type: "string", enum: ["built-in", "definition", "request", "hop", "edge"] };

const explanationSchemas: Components = {
  Explanation: answered(
    {
      hops: listOf(ref("HopExplanation")),
      budget: answered({ edges: count, scanned: count, bytes: count, timeoutMs: count }),
      levels: describe("With `profile`.", listOf(ref("LevelProfile"))),
      totals: mapOf(milliseconds),
    },
    ["levels", "totals"],
  ),
  HopExplanation: answered(
    {
      hop: count,
      repetition: count,
      branches: listOf(
        answered({
          edge: text,
          direction,
          from: listOf(text),
          to: listOf(text),
          rule: answered({ limit: count, order, since: text, until: text }, ["since", "until"]),
          origins: answered({ limit: origin, order: origin, since: origin, until: origin }, ["until"]),
          filtersInStore: flag,
        }),
      ),
      pruned: listOf(answered({ edge: text, direction, reason: text })),
    },
    ["repetition"],
  ),
  LevelProfile: {
    type: "object",
    additionalProperties: { type: "number" },
    description: "Counts, and microseconds where a name ends with Us.",
  },
};
