// What operators and tools ask: liveness, readiness, metrics, status, definition, topics, the whole graph, and this description itself.
import type { Components } from "./graph-schemas.ts";
import {
  type JsonSchema,
  answered,
  count,
  flag,
  listOf,
  mapOf,
  milliseconds,
  text,
  integer,
  ref,
} from "./json-schema.ts";
import { type Operation, answer, json, linesType } from "./operation.ts";
import type { Operations } from "./query-operations.ts";

const plain = (description: string) => answer(description, { "text/plain": { schema: text } });
const bound: JsonSchema = {
  type: "string",
  pattern: "^(\\d{1,15}|\\d{4}-\\d\\d-\\d\\d(T\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?(Z|[+-]\\d\\d:\\d\\d))?)$",
};
const shared = { tag: "Operations", problems: [] } as const;

export const serverSchemas: Components = {
  Readiness: answered({ ready: flag, reason: text, warnings: listOf(text) }, ["reason", "warnings"]),
  TopicRecord: answered({ topic: text, partition: count, offset: count, receivedAt: text, key: text, value: {} }, [
    "key",
  ]),
  Verification: answered({
    elements: count,
    transactions: count,
    differences: listOf(answered({ type: text, element: text, what: text })),
    rebuilt: flag,
  }),
  Status: answered(
    {
      graph: text,
      fingerprint: text,
      ready: flag,
      refusing: text,
      uptimeMs: milliseconds,
      topics: listOf(
        answered({ name: text, partitions: listOf(answered({ first: count, next: count })), sizeBytes: count }),
      ),
      jobs: listOf(
        answered({ event: text, state: text, cause: text, lagRecords: count, ratePerSecond: milliseconds }, ["cause"]),
      ),
      store: answered({
        nodes: mapOf(count),
        edges: mapOf(count),
        memoryBytes: count,
        memoryMaxBytes: count,
        lagTransactions: integer(0, Number.MAX_SAFE_INTEGER),
        applied: listOf(text),
        inputs: listOf(text),
      }),
    },
    ["refusing"],
  ),
};

export const serverOperations: Operations = {
  "GET /livez": {
    ...shared,
    id: "live",
    summary: "Whether the process answers",
    answers: { 200: plain("It does.") },
    open: true,
  },
  "GET /readyz": {
    ...shared,
    id: "ready",
    summary: "Whether the graph has caught up with the log",
    answers: {
      200: answer("It has.", json(ref("Readiness"))),
      503: answer("Not yet, and why.", json(ref("Readiness"))),
    },
    open: true,
  },
  "GET /metrics": {
    ...shared,
    id: "metrics",
    summary: "Metrics in Prometheus' text format",
    answers: { 200: plain("The metrics.") },
  },
  "GET /v1/openapi.json": described("openapi", "This description: OpenAPI 3.1", "The description."),
  "GET /v1/definition": described("definition", "The definition that runs", "The definition."),
  "GET /v1/status": {
    ...shared,
    id: "status",
    summary: "Topics, jobs, store, gateway and log",
    answers: { 200: answer("The status.", json(ref("Status"))) },
  },
  "GET /v1/topics/:topic/records": {
    ...shared,
    id: "readTopic",
    summary: "A topic's records",
    params: { topic: { type: "string", minLength: 1 } },
    query: {
      from: { anyOf: [{ const: "start" }, bound], description: "An offset or a time; from now on when missing." },
      until: bound,
      key: text,
      limit: { type: "integer", minimum: 1, maximum: 999_999_999_999_999 },
      follow: { type: "string", enum: ["true", "false"], description: "true: waits for more." },
    },
    answers: {
      200: answer("A record per line.", { [linesType]: { schema: { type: "string", description: "TopicRecords." } } }),
    },
    problems: [404],
  },
  "GET /v1/export": {
    ...shared,
    id: "exportGraph",
    summary: "The whole graph, unsorted, while updates go on",
    answers: {
      200: answer("A header, a line per node and edge, an end with counts and checksum.", {
        [linesType]: { schema: { type: "string", description: "As docs/export.md describes." } },
      }),
    },
  },
  "POST /v1/store/verify": {
    ...shared,
    id: "verifyStore",
    summary: "Proves the store against the log",
    answers: { 200: answer("What the proof found.", json(ref("Verification"))) },
    problems: [413, 415],
  },
};

function described(id: string, summary: string, description: string): Operation {
  return { ...shared, id, summary, answers: { 200: answer(description, json({ type: "object" })) } };
}
