// Bad requests over HTTP: each gets its documented answer, and changes nothing.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BadRequest } from "./bad-request.ts";
import { avroRequests, eventRequests } from "./event-requests.ts";
import { httpRequests } from "./http-requests.ts";
import { operationRequests } from "./operation-requests.ts";
import { queryRequests } from "./query-requests.ts";
import { questionRequests } from "./question-requests.ts";
import { codeOf, Subject } from "./subject.ts";

/** No answer to a bad request is larger: what was sent is quoted in part only. */
const answerBytesMax = 64_000;
/** What the process may take more after all of this than after the first of it; one body has up to 40 MB. */
const grownBytesMax = 300_000_000;

let subject: Subject;
beforeAll(async () => {
  subject = await Subject.start();
});
afterAll(() => subject.stop());

async function expectRefused({ parts, status, code }: BadRequest): Promise<void> {
  const answer = await subject.exchange(...parts);
  expect([answer?.status, codeOf(answer)]).toEqual([status, code]);
  expect(answer?.body.length ?? 0).toBeLessThan(answerBytesMax);
  await subject.sendGood();
}

describe.each([
  ["events and inputs", eventRequests],
  ["HTTP", httpRequests],
  ["topics and schemas", operationRequests],
  ["queries", queryRequests],
  ["questions", questionRequests],
])("%s", (_, requests) => {
  test.each(requests)("$name: $status $code", expectRefused);
});

describe("Avro", () => {
  test("whatever is wrong with it is a bad record", async () => {
    const { id } = await subject.get<{ id: number }>("/registry/subjects/events.reading-value/versions/1");
    for (const request of avroRequests(id)) await expectRefused(request);
  });

  test("of a schema that does not resolve is a bad record", async () => {
    const schema = JSON.stringify({ type: "record", name: "reading", fields: [{ name: "sensorId", type: "int" }] });
    const registered = await subject.post(
      "/registry/subjects/other/versions",
      JSON.stringify({ schema }),
      "application/json",
    );
    const { id } = JSON.parse(registered!.body.toString()) as { id: number };
    const answer = await subject.post(
      "/v1/events/reading",
      Buffer.from([0, 0, 0, id >> 8, id & 255, 2]),
      "avro/binary",
    );
    const { errors } = JSON.parse(answer!.body.toString()) as { errors: { code: string }[] };
    expect([answer!.status, errors[0]!.code]).toEqual([400, "unresolvable_schema"]);
  });

  test("schemas that double with every level are read once each", async () => {
    const doubling = (inner: object): string => {
      let type: object = inner;
      for (let level = 1; level <= 60; level++) {
        const fields = [
          { name: "a", type },
          { name: "b", type: `r${level - 1}` },
        ];
        type = { type: "record", name: `r${level}`, fields };
      }
      return JSON.stringify(type);
    };
    const field = { name: "x", type: "int" };
    for (const fields of [[field], [field, { name: "y", type: "int", default: 1 }]]) {
      const schema = doubling({ type: "record", name: "r0", fields });
      const answer = await subject.post(
        "/registry/subjects/doubling/versions",
        JSON.stringify({ schema }),
        "application/json",
      );
      expect(answer!.status).toBe(200);
    }
  });
});

describe("continuations", () => {
  test("cut, changed and of another graph's server are refused", async () => {
    for (let i = 0; i < 3; i++) await subject.sendGood();
    const hops = [{ edge: "stands_at", direction: "in", limit: 1, since: "ever" }];
    const whole = { from: { type: "site", ids: ["here"] }, hops };
    const answer = (await subject.traverse({ ...whole, waitFor: await subject.positions() })) as unknown as {
      hops: { truncated: { next: string } }[];
    };
    const token = answer.hops[0]!.truncated.next;
    const codes = new Set<string | undefined>();
    for (let length = 0; length < token.length; length += 7) {
      const changed = `${token.slice(0, length)}${token[length] === "A" ? "B" : "A"}${token.slice(length + 1)}`;
      for (const forged of [token.slice(0, length), changed, `${token}${token[length]!}`]) {
        const refused = await subject.post("/v1/traverse", JSON.stringify({ continue: forged }), "application/json");
        codes.add(codeOf(refused));
      }
    }
    expect(codes).toEqual(new Set(["bad_continuation", "continuation_version"]));
    const goesOn = await subject.post("/v1/traverse", JSON.stringify({ continue: token }), "application/json");
    expect(goesOn!.status).toBe(200);
  });
});

test("every answer is documented", () => {
  const pages = ["events.md", "queries.md", "operations.md"].map((name) =>
    readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8"),
  );
  const documented = new Set<string>();
  for (const [, status, codes] of pages.join("\n").matchAll(/^\| (\d{3}) +\| (`[^|]+) \|/gm)) {
    for (const [, code] of codes!.matchAll(/`([a-z_]+)`/g)) documented.add(`${status} ${code}`);
  }
  const given = [...eventRequests, ...httpRequests, ...operationRequests, ...queryRequests, ...avroRequests(1)];
  const missing = given.filter(
    ({ code, status }) => code !== undefined && !/^\d+$/.test(code) && !documented.has(`${status} ${code}`),
  );
  expect([...new Set(missing.map(({ status, code }) => `${status} ${code}`))]).toEqual([]);
});

test("memory is bounded: the same again takes no more", async () => {
  const all = [...eventRequests, ...queryRequests];
  const before = subject.residentBytes;
  for (const { parts } of all) await subject.exchange(...parts);
  expect(subject.residentBytes - before).toBeLessThan(grownBytesMax);
});

test("the graph holds the good events once, and nothing else", async () => {
  await subject.expectIntact();
});
