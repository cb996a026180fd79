// Questions beside traversals that are refused: many nodes and edges, counts, shortest paths, common neighbours (docs/queries.md, "Other questions", "Errors").
import { gzipSync } from "node:zlib";
import { bad, type BadRequest, types } from "./bad-request.ts";

const { json } = types;
const from = { type: "sensor", ids: ["a"] };
const sensor = { type: "sensor", id: "a" };
const site = { type: "site", id: "s" };
const of = { type: "sensor", ids: ["a", "b"] };

type Path = "nodes" | "edges" | "count" | "shortest-path" | "common-neighbours";

function ask(path: Path, name: string, code: string, body: unknown, status = 400): BadRequest {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return bad(`${path}: ${name}`, [status, code], "POST", `/v1/${path}`, json, text);
}

const count = (name: string, code: string, members: object): BadRequest =>
  ask("count", name, code, { from, edge: "stands_at", ...members });
const path = (name: string, code: string, members: object): BadRequest =>
  ask("shortest-path", name, code, { from: sensor, to: site, ...members });
const common = (name: string, code: string, members: object): BadRequest =>
  ask("common-neighbours", name, code, { of, edge: "stands_at", ...members });

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));
const brackets = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
const paths = ["nodes", "edges", "count", "shortest-path", "common-neighbours"] as const;

/** What each of the paths refuses. */
const everywhere: readonly BadRequest[] = paths.flatMap((each) => [
  ask(each, "an empty body", "bad_json", ""),
  ask(each, "400,000 open brackets", "bad_json", "[".repeat(400_000)),
  ask(each, "nested lists", "not_an_object", brackets),
  ask(each, "null", "not_an_object", "null"),
  ask(each, "__proto__ as a member", "unknown_member", '{"__proto__":{"from":1}}'),
  ask(
    each,
    "an empty object",
    each === "shortest-path" || each === "count" || each === "common-neighbours" ? "not_an_object" : "not_a_string",
    "{}",
  ),
  bad(`${each}: text`, [415, "unsupported_media_type"], "POST", `/v1/${each}`, { "content-type": "text/plain" }, "{}"),
  bad(
    `${each}: a body of 1 MB and a byte`,
    [413, "body_too_large"],
    "POST",
    `/v1/${each}`,
    json,
    " ".repeat(1_000_001),
  ),
  bad(
    `${each}: a compressed body`,
    [415, "unsupported_media_type"],
    "POST",
    `/v1/${each}`,
    { ...json, "content-encoding": "gzip" },
    gzipSync("{}"),
  ),
  bad(`${each}: DELETE`, [405, "method_not_allowed"], "DELETE", `/v1/${each}`),
]);

const elements: readonly BadRequest[] = [
  ask("nodes", "an unknown type", "unknown_node_type", { type: "thing", ids: ["a"] }),
  ask("nodes", "__proto__ as a type", "unknown_node_type", { type: "__proto__", ids: ["a"] }),
  ask("nodes", "no ids", "bad_count", { type: "sensor", ids: [] }),
  ask("nodes", "1,001 ids", "bad_count", { type: "sensor", ids: numbered(1_001) }),
  ask("nodes", "an id with a lone surrogate", "bad_id", '{"type":"sensor","ids":["\\ud800"]}'),
  ask("nodes", "an unknown property", "unknown_property", { type: "sensor", ids: ["a"], select: ["colour"] }),
  ask("nodes", "nested lists as a selection", "not_a_string", `{"type":"sensor","ids":["a"],"select":${brackets}}`),
  ask("nodes", "a timeout of 30 years", "out_of_range", { type: "sensor", ids: ["a"], timeoutMs: 1e12 }),
  ask(
    "nodes",
    "a position far ahead",
    "not_applied_yet",
    { type: "sensor", ids: ["a"], waitFor: ["events.reading/0@9007199254740991"], timeoutMs: 20 },
    504,
  ),
  ask("edges", "a node type", "unknown_edge_type", { type: "sensor", pairs: [{ from: "a", to: "s" }] }),
  ask("edges", "no pairs", "bad_count", { type: "stands_at", pairs: [] }),
  ask("edges", "1,001 pairs", "bad_count", {
    type: "stands_at",
    pairs: numbered(1_001).map((id) => ({ from: id, to: "s" })),
  }),
  ask("edges", "pairs that are lists", "not_an_object", { type: "stands_at", pairs: [["a", "s"]] }),
  ask("edges", "a pair of one", "not_a_string", { type: "stands_at", pairs: [{ from: "a" }] }),
  ask("edges", "an id of 1 KiB and a byte", "bad_id", {
    type: "stands_at",
    pairs: [{ from: "a", to: "x".repeat(1025) }],
  }),
];

const counts: readonly BadRequest[] = [
  count("no edge type", "not_a_string", { edge: undefined }),
  count("an unknown edge type", "unknown_edge_type", { edge: "standsat" }),
  count("an empty list of edge types", "bad_count", { edge: [] }),
  count("101 edge types", "bad_count", { edge: numbered(101) }),
  count("an edge type twice", "not_allowed", { edge: ["stands_at", { type: "stands_at" }] }),
  count("an edge type that is a number", "not_a_string", { edge: [5] }),
  count("a rule with a limit", "unknown_member", { edge: [{ type: "stands_at", limit: 5 }] }),
  count("a direction that leads nowhere", "impossible_hop", { direction: "in" }),
  count("any edge type, where none leads", "impossible_hop", { edge: "*", direction: "in" }),
  count("a direction that is none", "not_allowed", { direction: "sideways" }),
  count("yesterday", "bad_moment", { since: "yesterday" }),
  count("a text for a number", "bad_value", { where: { edge: { level: "x" } } }),
  count("a property of no type", "unknown_property", { edge: "*", where: { node: { colour: "red" } } }),
  count("1,001 values", "bad_count", { where: { edge: { level: { in: numbered(1_001).map(Number) } } } }),
  count("a budget of edges", "unknown_member", { budget: { edges: 5 } }),
  count("a budget below 1", "out_of_range", { budget: { scanned: 0 } }),
  count("a cache that is a text", "not_allowed", { cache: "false" }),
];

const connections: readonly BadRequest[] = [
  path("an end that is a text", "not_an_object", { to: "s" }),
  path("an end of no type", "unknown_node_type", { to: { type: "thing", id: "s" } }),
  path("an end without an id", "bad_id", { to: { type: "site", id: "" } }),
  path("a depth of 13", "out_of_range", { maxDepth: 13 }),
  path("a depth of 0", "out_of_range", { maxDepth: 0 }),
  path("a limit of a billion", "out_of_range", { limit: 1e9 }),
  path("no way from type to type", "impossible_path", { edge: "stands_at", direction: "in" }),
  path("too few edges from type to type", "impossible_path", {
    to: { type: "sensor", id: "b" },
    edge: "stands_at",
    direction: "out",
  }),
  path("an unknown property", "unknown_property", { select: { node: ["colour"] } }),
  path("an order", "unknown_member", { order: "latest" }),
  common("one node", "bad_count", { of: { type: "sensor", ids: ["a"] } }),
  common("11 nodes", "bad_count", { of: { type: "sensor", ids: numbered(11) } }),
  common("the same node twice", "bad_count", { of: { type: "sensor", ids: ["a", "a"] } }),
  common("a limit of 0", "out_of_range", { limit: 0 }),
  common("an order that is none", "not_allowed", { order: "random" }),
  common("an edge that leads nowhere", "impossible_hop", { of: { type: "site", ids: ["s", "t"] } }),
];

export const questionRequests: readonly BadRequest[] = [...everywhere, ...elements, ...counts, ...connections];
