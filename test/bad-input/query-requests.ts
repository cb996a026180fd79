// Queries that are refused: their JSON, their starts and hops, filters, bounds, positions and continuations (docs/queries.md, "Errors").
import { gzipSync } from "node:zlib";
import { bad, type BadRequest, type Expected, types } from "./bad-request.ts";

const { json } = types;
const from = { type: "sensor", ids: ["a"] };

function traverse(name: string, code: string, body: unknown, status = 400): BadRequest {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return bad(name, [status, code], "POST", "/v1/traverse", json, text);
}

function hop(name: string, code: string, members: object): BadRequest {
  return traverse(name, code, { from, hops: [{ edge: "stands_at", ...members }] });
}

function ask(name: string, code: string, query: unknown): BadRequest {
  return bad(name, [400, code], "POST", "/v1/query", json, JSON.stringify({ query }));
}

function waiting(name: string, expected: Expected, ...positions: readonly string[]): BadRequest {
  const body = JSON.stringify({ from, waitFor: positions, timeoutMs: 20 });
  return bad(name, expected, "POST", "/v1/traverse", json, body);
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));
const start = '{"from":{"type":"sensor","ids":["a"]}';

const bodies: readonly BadRequest[] = [
  traverse("an empty body", "bad_json", ""),
  traverse("cut JSON", "bad_json", start),
  traverse("400,000 open brackets", "bad_json", "[".repeat(400_000)),
  traverse("400,000 nested lists", "not_an_object", `${"[".repeat(400_000)}${"]".repeat(400_000)}`),
  traverse("null", "not_an_object", "null"),
  traverse("a number", "not_an_object", "5"),
  bad("a body that is not UTF-8", [400, "bad_json"], "POST", "/v1/traverse", json, Buffer.from([0x22, 0xff, 0x22])),
  bad("a body in UTF-16", [400, "bad_json"], "POST", "/v1/traverse", json, Buffer.from("{}", "utf16le")),
  bad("a body of 1 MB and a byte", [413, "body_too_large"], "POST", "/v1/traverse", json, " ".repeat(1_000_001)),
  bad(
    "a body as text",
    [415, "unsupported_media_type"],
    "POST",
    "/v1/traverse",
    { "content-type": "text/plain" },
    "{}",
  ),
  bad("a body of no type", [415, "unsupported_media_type"], "POST", "/v1/query", {}, "{}"),
  bad(
    "a compressed query",
    [415, "unsupported_media_type"],
    "POST",
    "/v1/traverse",
    { ...json, "content-encoding": "gzip" },
    gzipSync("{}"),
  ),
  traverse("__proto__ as a member", "unknown_member", `${start},"__proto__":{"from":1}}`),
  traverse("__proto__ within the start", "unknown_member", '{"from":{"__proto__":{"type":"sensor"},"ids":["a"]}}'),
  traverse("a member's name of 900,000 characters", "unknown_member", { ["x".repeat(900_000)]: 1 }),
];

const starts: readonly BadRequest[] = [
  traverse("an unknown type", "unknown_node_type", { from: { type: "thing", ids: ["a"] } }),
  traverse("__proto__ as a type", "unknown_node_type", { from: { type: "__proto__", ids: ["a"] } }),
  traverse("a type's name of 900,000 characters", "unknown_node_type", {
    from: { type: "t".repeat(900_000), ids: ["a"] },
  }),
  traverse("no ids", "bad_count", { from: { type: "sensor", ids: [] } }),
  traverse("1,001 ids", "bad_count", { from: { type: "sensor", ids: numbered(1001) } }),
  traverse("100,000 ids", "bad_count", { from: { type: "sensor", ids: numbered(100_000) } }),
  traverse("an empty id", "bad_id", { from: { type: "sensor", ids: [""] } }),
  traverse("an id of 1 KiB and a byte", "bad_id", { from: { type: "sensor", ids: ["x".repeat(1025)] } }),
  traverse("an id with a lone surrogate", "bad_id", '{"from":{"type":"sensor","ids":["\\ud800"]}}'),
  traverse("a number as an id", "not_a_string", { from: { type: "sensor", ids: [5] } }),
  traverse("ids that are a text", "not_a_list", { from: { type: "sensor", ids: "a" } }),
  traverse("ids that are like a list", "not_a_list", { from: { type: "sensor", ids: { 0: "a", length: 1 } } }),
  traverse(
    "100,000 nested lists as a selection",
    "not_a_string",
    `{"from":{"type":"sensor","ids":["a"],"select":${"[".repeat(100_000)}${"]".repeat(100_000)}}}`,
  ),
];

const hops: readonly BadRequest[] = [
  traverse("64 hops", "bad_count", { from, hops: Array.from({ length: 64 }, () => ({ edge: "stands_at" })) }),
  traverse("hops that are none", "not_a_list", { from, hops: 5 }),
  traverse("a hop that leads nowhere", "impossible_hop", { from, hops: [{ edge: "stands_at", direction: "in" }] }),
  traverse("__proto__ as an edge", "unknown_edge_type", { from, hops: [{ edge: "__proto__" }] }),
  hop("limit 0", "out_of_range", { limit: 0 }),
  hop("a limit of a billion", "out_of_range", { limit: 1e9 }),
  traverse("a limit beyond all numbers", "out_of_range", `${start},"hops":[{"edge":"stands_at","limit":1e999}]}`),
  hop("a limit as text", "out_of_range", { limit: "5" }),
  hop("a limit with a fraction", "out_of_range", { limit: 1.5 }),
  hop("an order that is none", "not_allowed", { order: "random" }),
  hop("yesterday", "bad_moment", { since: "yesterday" }),
  hop("an age beyond all time", "bad_moment", { since: "999999999999d" }),
  hop("a text for a number", "bad_value", { where: { edge: { level: "x" } } }),
  hop("2^31 for an int32", "bad_value", { where: { edge: { level: 2 ** 31 } } }),
  hop("an object for a number", "unknown_member", { where: { edge: { level: { toString: 1 } } } }),
  hop("null", "bad_value", { where: { edge: { level: null } } }),
  hop("a filter that is a list", "not_an_object", { where: [] }),
  traverse(
    "__proto__ in a filter",
    "unknown_property",
    `${start},"hops":[{"edge":"stands_at","where":{"edge":{"__proto__":1}}}]}`,
  ),
  hop("1,001 values", "bad_count", { where: { edge: { level: { in: numbered(1001).map(Number) } } } }),
  hop("101 conditions", "bad_count", {
    where: { edge: { or: numbered(101).map((level) => ({ level: Number(level) })) } },
  }),
  traverse(
    "50,000 nested conditions",
    "condition_too_deep",
    `${start},"hops":[{"edge":"stands_at","where":{"edge":${'{"not":'.repeat(50_000)}{}${"}".repeat(50_000)}}}]}`,
  ),
  traverse("a budget of a trillion edges", "out_of_range", { from, budget: { edges: 1e12 } }),
  traverse("a budget below 1", "out_of_range", { from, budget: { scanned: -1 } }),
  traverse("a timeout of 30 years", "out_of_range", { from, timeoutMs: 1e12 }),
];

const positions: readonly BadRequest[] = [
  waiting("what is no position", [400, "bad_position"], "events.reading"),
  waiting("a position of 100,000 characters", [400, "bad_position"], "x".repeat(100_000)),
  waiting("a position of no event", [400, "unknown_topic"], "events.nothing/0@5"),
  waiting("a position of no type", [400, "unknown_topic"], "nodes.nothing/0@5"),
  waiting("a position of a side input", [400, "unknown_topic"], "inputs.sites/0@5"),
  waiting("a position of no partition", [400, "unknown_partition"], "events.reading/7@5"),
  waiting("1,001 positions", [400, "bad_count"], ...numbered(1001).map(() => "events.reading/0@0")),
  waiting("a position far ahead", [504, "not_applied_yet"], "events.reading/0@9007199254740991"),
  waiting("a position beyond all integers", [504, "not_applied_yet"], "events.reading/1@9999999999999999"),
  waiting("a transaction far ahead", [504, "not_applied_yet"], "edges.stands_at/0@99999999"),
];

const continuations: readonly BadRequest[] = [
  traverse("what is no token", "bad_continuation", { continue: "x" }),
  traverse("900,000 dots", "bad_continuation", { continue: ".".repeat(900_000) }),
  traverse("a number as a token", "not_a_string", { continue: 5 }),
  traverse("a token of another version", "continuation_version", { continue: "9.e30.AAAA" }),
  traverse("a token with a signature of its own", "bad_continuation", {
    continue: `2.${Buffer.from('{"hop":0}').toString("base64url")}.${"A".repeat(43)}`,
  }),
  traverse("a token and a start", "unknown_member", { continue: "x", from }),
];

const texts: readonly BadRequest[] = [
  ask("an empty text", "query_syntax", ""),
  ask("a number as a text", "not_a_string", 5),
  ask("a text of 70,000 characters", "query_too_long", "(".repeat(70_000)),
  ask("60,000 open brackets", "query_syntax", "(".repeat(60_000)),
  ask("10,000 nested conditions", "query_syntax", `(sensor {id:'a'})-[w:stands_at]->() WHERE ${"(".repeat(10_000)}`),
  ask(
    "10,000 times NOT",
    "query_syntax",
    `(sensor {id:'a'})-[w:stands_at]->() WHERE ${"NOT ".repeat(10_000)}w.level = 1`,
  ),
  ask(
    "3,000 alternatives",
    "bad_count",
    `(sensor {id:'a'})-[w:stands_at]->() WHERE ${"w.level = 1 OR ".repeat(3000)}w.level = 1`,
  ),
  ask("a lone surrogate", "bad_id", "(sensor {id:'\ud800'})"),
  ask("an unknown type in a text", "query_syntax", "(nothing {id:'a'})"),
];

const elements: readonly BadRequest[] = [
  bad("a node that is not there", [404, "node_not_found"], "GET", "/v1/nodes/sensor/nobody"),
  bad("a node with a nul in its id", [404, "node_not_found"], "GET", "/v1/nodes/sensor/%00"),
  bad("a node of an unknown type", [404, "unknown_node_type"], "GET", "/v1/nodes/__proto__/x"),
  bad("a node without an id", [400, "bad_id"], "GET", "/v1/nodes/sensor/"),
  bad("a node with an id of 1 KiB and a byte", [400, "bad_id"], "GET", `/v1/nodes/sensor/${"x".repeat(1025)}`),
  bad("a node with an id of 5,000 bytes", [400, "bad_url"], "GET", `/v1/nodes/sensor/${"x".repeat(5000)}`),
  bad("an edge that is not there", [404, "edge_not_found"], "GET", "/v1/edges/stands_at/a/b"),
  bad("an edge of an unknown type", [404, "unknown_edge_type"], "GET", "/v1/edges/nothing/a/b"),
  bad("an edge without ends", [400, "bad_id"], "GET", "/v1/edges/stands_at//"),
];

export const queryRequests: readonly BadRequest[] = [
  ...bodies,
  ...starts,
  ...hops,
  ...positions,
  ...continuations,
  ...texts,
  ...elements,
];
