// Requests with events and rows that are refused as a whole: formats, bodies, headers and parameters (docs/events.md, "Errors of a request").
import { gzipSync } from "node:zlib";
import { bad, type BadRequest, type Expected, types } from "./bad-request.ts";
import { readingText } from "./record-cases.ts";
import type { Headers } from "./wire.ts";

const path = "/v1/events/reading";
const { json, ndjson, avro } = types;
const good = readingText("refused");
const blanks = (bytes: number): Buffer => Buffer.alloc(bytes, " ");

function post(name: string, expected: Expected, headers: Headers, body: string | Uint8Array, query = ""): BadRequest {
  return bad(name, expected, "POST", path + query, headers, body);
}

const badJson: Expected = [400, "bad_json"];
const badRecords: Expected = [400, "bad_records"];
const notUnderstood: Expected = [415, "unsupported_media_type"];
const badParameter: Expected = [400, "bad_parameter"];
const badKey: Expected = [400, "bad_idempotency_key"];

const bodies: readonly BadRequest[] = [
  post("an empty body as JSON", badJson, json, ""),
  post("blanks as JSON", badJson, json, " \n "),
  post("a cut object", badJson, json, good.slice(0, 20)),
  post("an array that is not closed", badJson, json, `[${good}`),
  post("an array with a comma too many", badJson, json, `[${good},]`),
  post("two values", badJson, json, good + good),
  post("NaN", badJson, json, "NaN"),
  post("a million open brackets", badJson, json, "[".repeat(1_000_000)),
  post("100,000 open objects", badJson, json, '{"a":'.repeat(100_000)),
  post("16 MB of open brackets", badJson, json, Buffer.alloc(16_000_000, "[")),
  post("JSON in UTF-16", badJson, json, Buffer.from(good, "utf16le")),
  post("JSON with a byte that is none of UTF-8", badJson, json, Buffer.from([0x7b, 0xff, 0x7d])),
  post("100,001 records", [400, "too_many_records"], ndjson, "{}\n".repeat(100_001)),
  post("99,999 bad lines", badRecords, ndjson, "x\n".repeat(99_999)),
  post("names of a million characters", badRecords, ndjson, `{"${"a".repeat(1_000_000)}":1}\n`.repeat(15)),
  post(
    "a map's name of 900,000 characters that each of 90 problems is about",
    badRecords,
    ndjson,
    readingText("x", {
      parts: `{"${"a".repeat(900_000)}":{${Array.from({ length: 90 }, (_, i) => `"u${i}":1`).join(",")}}}`,
    }),
  ),
  post("16 MB and a byte", [413, "body_too_large"], ndjson, blanks(16_000_001)),
  post("40 MB", [413, "body_too_large"], ndjson, blanks(40_000_000)),
  post("gzip", notUnderstood, { ...ndjson, "content-encoding": "gzip" }, gzipSync(good)),
  post("a gzip bomb", notUnderstood, { ...ndjson, "content-encoding": "gzip" }, gzipSync(blanks(50_000_000))),
  post("an encoding that is none", notUnderstood, { ...ndjson, "content-encoding": "zip, identity" }, good),
];

const headers: readonly BadRequest[] = [
  post("no content type", notUnderstood, {}, good),
  post("text", notUnderstood, { "content-type": "text/plain" }, good),
  post("a form", notUnderstood, { "content-type": "multipart/form-data; boundary=x" }, good),
  post("a content type that is none", notUnderstood, { "content-type": ";;;=" }, good),
  post("an idempotency key of blanks", badKey, { ...ndjson, "idempotency-key": " " }, good),
  post("an idempotency key of 257 bytes", badKey, { ...ndjson, "idempotency-key": "k".repeat(257) }, good),
  post("an idempotency key of 15,000 bytes", badKey, { ...ndjson, "idempotency-key": "k".repeat(15_000) }, good),
  post("two idempotency keys", badKey, { ...ndjson, "idempotency-key": ["a", "b"] }, good),
  post("an idempotency key that is not UTF-8", badKey, { ...ndjson, "idempotency-key": "\u00ff\u00fe" }, good),
  post("partial=maybe", badParameter, ndjson, good, "?partial=maybe"),
  post("partial twice", badParameter, ndjson, good, "?partial=true&partial=true"),
  post("a misspelt parameter", badParameter, ndjson, good, "?partail=true"),
  post("__proto__ as a parameter", badParameter, ndjson, good, "?__proto__=1"),
  post("a parameter with a wrong escape", badParameter, ndjson, good, "?partial=%zz"),
];

const targets: readonly BadRequest[] = [
  bad("an unknown event", [404, "unknown_event"], "POST", "/v1/events/nothing", ndjson, good),
  bad("an unknown event with 16 MB", [404, "unknown_event"], "POST", "/v1/events/nothing", ndjson, blanks(16_000_000)),
  bad("__proto__ as an event", [404, "unknown_event"], "POST", "/v1/events/__proto__", ndjson, good),
  bad("a topic as an event", [404, "unknown_event"], "POST", "/v1/events/events.reading", ndjson, good),
  bad(
    "an event name of 4,000 characters",
    [404, "unknown_event"],
    "POST",
    `/v1/events/${"e".repeat(4_000)}`,
    ndjson,
    good,
  ),
  bad("an unknown input", [404, "unknown_input"], "POST", "/v1/inputs/nothing", ndjson, good),
  bad("a bad row", badRecords, "POST", "/v1/inputs/sites", ndjson, '{"siteId":"s"}'),
  bad("a deletion with an empty key", badRecords, "POST", "/v1/inputs/sites", ndjson, '{"$delete":""}'),
  bad("a deletion with a number", badRecords, "POST", "/v1/inputs/sites", ndjson, '{"$delete":5}'),
  bad("a deletion and more", badRecords, "POST", "/v1/inputs/sites", ndjson, '{"$delete":"a","name":"b"}'),
  bad("a deletion of an event", badRecords, "POST", path, ndjson, '{"$delete":"a"}'),
];

/** `id` is the schema id of the event's own schema. */
export function avroRequests(id: number): readonly BadRequest[] {
  const framed = (...bytes: readonly number[]): Buffer => Buffer.from([0, 0, 0, id >> 8, id & 255, ...bytes]);
  const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
  return [
    post("no bytes as Avro", badRecords, avro, ""),
    post("Avro without framing", badRecords, avro, Buffer.from([1, 2, 3, 4, 5, 6])),
    post("Avro of an unknown schema", badRecords, avro, Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 6])),
    post("Avro of schema 0", badRecords, avro, Buffer.from([0, 0, 0, 0, 0, 6])),
    post("Avro with framing only", badRecords, avro, framed()),
    post("cut Avro", badRecords, avro, framed(6, 65)),
    post("Avro with a text of 2^62 bytes", badRecords, avro, framed(...huge)),
    post("Avro with a text of a negative length", badRecords, avro, framed(1)),
    post("Avro with a number that never ends", badRecords, avro, framed(...Array.from({ length: 1000 }, () => 0xff))),
    post("Avro with an empty key", badRecords, avro, framed(0, ...Array.from({ length: 20 }, () => 0))),
    post("an object file", badRecords, avro, Buffer.from("Obj\u0001avro")),
    post("JSON as Avro", badRecords, avro, good),
    post("1 MiB and more as Avro", badRecords, avro, Buffer.concat([framed(), Buffer.alloc(1_048_577, 2)])),
  ];
}

export const eventRequests: readonly BadRequest[] = [...bodies, ...headers, ...targets];
