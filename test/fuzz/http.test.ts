// Damaged requests as bytes on a connection, to a whole server: it answers in HTTP what is documented, or closes, or waits for more; it never fails inside,
// and serves others meanwhile.
import { setTimeout as wait } from "node:timers/promises";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { types } from "../bad-input/bad-request.ts";
import { readingText } from "../bad-input/record-cases.ts";
import { codeOf, Subject } from "../bad-input/subject.ts";
import { request, Wire } from "../bad-input/wire.ts";
import { damage, damaged } from "./damage.ts";
import { rounds } from "./rounds.ts";

const { json, ndjson, avro, registry } = types;
const event = readingText("fuzz", { siteId: '"here"', level: "7", labels: '{"a":"b"}' });
const traversal = JSON.stringify({
  from: { type: "sensor", ids: ["a"] },
  hops: [{ edge: "stands_at" }],
  timeoutMs: 20,
});
const schema = JSON.stringify({
  schema: JSON.stringify({ type: "record", name: "r", fields: [{ name: "f", type: "int" }] }),
});

const requests = [
  request("POST", "/v1/events/reading", ndjson, `${event}\n${event}\r\n`),
  request("POST", "/v1/events/reading?partial=true", { ...json, "idempotency-key": "k1" }, `[${event}, ${event}]`),
  request(
    "POST",
    "/v1/events/reading",
    avro,
    Buffer.from([0, 0, 0, 0, 1, 8, 0x66, 0x75, 0x7a, 0x7a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
  ),
  request("POST", "/v1/inputs/sites", json, '{"siteId":"here","name":"Here"}'),
  request("POST", "/v1/traverse", json, traversal),
  request("POST", "/v1/query", json, JSON.stringify({ query: "(sensor {id: 'a'})-[:stands_at]->()", timeoutMs: 20 })),
  request("GET", "/v1/nodes/sensor/a%20b"),
  request("GET", "/v1/edges/stands_at/a/b", { origin: "http://127.0.0.1" }),
  request("GET", "/v1/topics/events.reading/records?from=start&until=2&key=fuzz&limit=1"),
  request("POST", "/registry/subjects/fuzz/versions", registry, schema),
  request("GET", "/registry/subjects/fuzz/versions/latest?deleted=true"),
  request("GET", "/v1/status"),
  request("GET", "/metrics"),
].map((parts) => Buffer.concat(parts));

/** Two requests may follow each other on the connection, and the head of a third. */
const bytes = fc
  .tuple(fc.array(fc.constantFrom(...requests), { minLength: 1, maxLength: 3 }), damage)
  .map(([parts, changes]) => damaged(Buffer.concat(parts), changes));

const allowed = new Set([200, 202, 400, 403, 404, 405, 408, 409, 413, 415, 417, 422, 429, 431, 504]);
/** An answer takes less; beyond it the server is taken to wait for the rest of a request. */
const patienceMs = 60;

let subject: Subject;
beforeAll(async () => {
  subject = await Subject.start();
});
afterAll(() => subject.stop());

test("requests", async () => {
  const property = fc.asyncProperty(bytes, async (sent) => {
    const wire = await Wire.open(subject.url);
    try {
      const answer = await Promise.race([wire.send(sent).answer(), wait(patienceMs)]);
      if (answer === undefined) return;
      expect(allowed).toContain(answer.status);
      if (answer.status >= 400 && answer.status !== 417) expect(codeOf(answer)).toBeTypeOf("string");
    } finally {
      wire.close();
    }
  });
  for (let part = 0; part < 4; part++) {
    await fc.assert(property, { numRuns: rounds(60) });
    await subject.sendGood();
  }
});

test("the good events are in the graph once", async () => {
  await subject.expectOnce();
});
