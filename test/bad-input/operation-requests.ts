// Bad requests to topics, to the proof of the store and to the schema registry (docs/queries.md and docs/events.md; the registry answers as Confluent's).
import { gzipSync } from "node:zlib";
import { bad, type BadRequest, types } from "./bad-request.ts";

const { json, registry } = types;
const records = "/v1/topics/events.reading/records";

function tail(parameters: string): BadRequest {
  return bad(`records with ${parameters}`, [400, "bad_parameter"], "GET", `${records}?${parameters}`);
}

const badParameters = [
  "from=x",
  "from=-1",
  "from=1e3",
  "from=",
  "from=275760-09-13",
  "from=%ff",
  "from=start&from=start",
  "from=1234567890123456",
  "until=",
  "until=2026-13-01T00:00:00Z",
  "until=start",
  "limit=0",
  "limit=-1",
  "limit=x",
  "limit=1.5",
  "limit=1e3",
  "limit=Infinity",
  "follow=maybe",
  "follow=1",
  "key=a&key=b",
  "nothing=1",
  "__proto__=1",
  `${"x".repeat(5000)}=1`,
];

const topics: readonly BadRequest[] = [
  ...badParameters.map(tail),
  bad("an unknown topic", [404, "unknown_topic"], "GET", "/v1/topics/nothing/records"),
  bad("a topic's name of 4,000 characters", [404, "unknown_topic"], "GET", `/v1/topics/${"x".repeat(4000)}/records`),
  bad("a path as a topic", [404, "unknown_topic"], "GET", "/v1/topics/..%2f..%2fetc/records?from=start"),
  bad("__proto__ as a topic", [404, "unknown_topic"], "GET", "/v1/topics/__proto__/records"),
  bad("an export with a parameter", [400, "bad_parameter"], "GET", "/v1/export?format=csv"),
  bad("POST of an export", [405, "method_not_allowed"], "POST", "/v1/export", json, "{}"),
  bad("GET of the proof", [405, "method_not_allowed"], "GET", "/v1/store/verify"),
  bad("a proof with bad JSON", [400, "bad_request"], "POST", "/v1/store/verify", json, "{"),
  bad("a proof with 2 MB", [413, "body_too_large"], "POST", "/v1/store/verify", json, " ".repeat(2_000_000)),
];

function register(
  name: string,
  status: number,
  code: number,
  body: unknown,
  path = "/subjects/s/versions",
): BadRequest {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return bad(`registry: ${name}`, [status, String(code)], "POST", `/registry${path}`, registry, text);
}

const find = (path: string, status: number, code: number): BadRequest =>
  bad(`registry: ${path.slice(0, 60)}`, [status, String(code)], "GET", `/registry${path}`);

const nested = (levels: number): string => `${'{"type":"array","items":'.repeat(levels)}"int"${"}".repeat(levels)}`;

const schemas: readonly BadRequest[] = [
  register("an empty body", 400, 400, ""),
  register("cut JSON", 400, 400, "{"),
  register("a list", 400, 400, "[]"),
  register("no schema", 422, 42201, {}),
  register("a schema that is a number", 422, 42201, { schema: 5 }),
  register("a schema that is no JSON", 422, 42201, { schema: "{" }),
  register("a schema of no type", 422, 42201, { schema: '{"type":"nothing"}' }),
  register("a schema nested 20,000 deep", 422, 42201, { schema: nested(20_000) }),
  register("a union nested 50,000 deep", 422, 42201, { schema: `${"[".repeat(50_000)}${"]".repeat(50_000)}` }),
  register("a schema of more than 1 MiB", 422, 42201, {
    schema: JSON.stringify({ type: "string", doc: "x".repeat(1_100_000) }),
  }),
  register("a schema that contains itself", 422, 42201, {
    schema: '{"type":"record","name":"a","fields":[{"name":"b","type":"c"}]}',
  }),
  register("__proto__ as a type", 422, 42201, { schema: '{"type":"__proto__"}' }),
  register("Protobuf", 422, 42201, { schema: "x", schemaType: "PROTOBUF" }),
  register("a type of schema of 900,000 characters", 422, 42201, { schema: "x", schemaType: "P".repeat(900_000) }),
  register("references", 422, 42201, { schema: "x", references: [{}] }),
  register("a body of 2.6 MB", 413, 413, " ".repeat(2_600_000)),
  register("a subject of 4,000 characters", 422, 42208, { schema: '"int"' }, `/subjects/${"s".repeat(4000)}/versions`),
  register("a subject of control characters", 422, 42208, { schema: '"int"' }, "/subjects/%00%0a/versions"),
  register(
    "a schema that cannot read the event's records",
    409,
    409,
    { schema: '"int"' },
    "/subjects/events.reading-value/versions",
  ),
  bad(
    "registry: compressed",
    [415, "415"],
    "POST",
    "/registry/subjects/s/versions",
    { ...registry, "content-encoding": "gzip" },
    gzipSync("{}"),
  ),
  bad("registry: text", [415, "415"], "POST", "/registry/subjects/s/versions", { "content-type": "text/plain" }, "{}"),
  bad(
    "registry: a level that is none",
    [422, "42203"],
    "PUT",
    "/registry/config",
    registry,
    '{"compatibility":"SOMETIMES"}',
  ),
  bad(
    "registry: __proto__ as a level",
    [422, "42203"],
    "PUT",
    "/registry/config",
    registry,
    '{"compatibility":"__proto__"}',
  ),
  bad("registry: a mode", [422, "42205"], "PUT", "/registry/mode", registry, '{"mode":"IMPORT"}'),
  find("/schemas/ids/x", 404, 404),
  find("/schemas/ids/-1", 404, 404),
  find("/schemas/ids/99999999999", 404, 404),
  find("/schemas/ids/4294967295", 404, 40403),
  find("/subjects/nothing/versions", 404, 40401),
  find("/subjects/__proto__/versions/1", 404, 40401),
  find("/subjects/x/versions/0", 422, 42202),
  find("/subjects/x/versions/99999999999", 422, 42202),
  find(`/subjects/x/versions/${"9".repeat(3000)}`, 422, 42202),
  find("/config/nothing", 404, 40408),
  bad("registry: an unknown path", [404, "unknown_path"], "GET", "/registry/nothing"),
];

export const operationRequests: readonly BadRequest[] = [...topics, ...schemas];
