// Bad records over HTTP: each is refused with its documented problem, alone and between good ones, and touches nothing else.
import { afterAll, beforeAll, expect, test } from "vitest";
import { badRecords, oddRecords, readingText } from "./record-cases.ts";
import { codeOf, Subject } from "./subject.ts";

let subject: Subject;
beforeAll(async () => {
  subject = await Subject.start();
});
afterAll(() => subject.stop());

interface Refusal {
  readonly code: string;
  readonly errors: readonly { index: number; field?: string; code: string; reason: string }[];
  readonly errorCount: number;
}

test.each(badRecords)("$name: $code", async ({ line, code, field }) => {
  const bytes = Buffer.from(line as string);
  const problem = { index: 0, code, ...(field ? { field } : {}) };
  const alone = (await subject.post("/v1/events/reading", bytes))!;
  expect([alone.status, codeOf(alone)]).toEqual([400, "bad_records"]);
  const { errors } = JSON.parse(alone.body.toString()) as Refusal;
  expect(errors[0]).toMatchObject(problem);
  expect(alone.body.length).toBeLessThan(64_000);

  // Between two good ones it takes them along, unless the request is partial.
  const good = readingText("never stored");
  const mixed = Buffer.concat([Buffer.from(`${good}\n`), bytes, Buffer.from(`\n${good}`)]);
  const whole = (await subject.post("/v1/events/reading", mixed))!;
  expect([whole.status, (JSON.parse(whole.body.toString()) as Refusal).errors[0]!.index]).toEqual([400, 1]);

  const names = [subject.freshId(), subject.freshId()];
  const [before, after] = names.map((name) => Buffer.from(readingText(name)));
  const partial = (await subject.post(
    "/v1/events/reading?partial=true",
    Buffer.concat([before!, Buffer.from("\n"), bytes, Buffer.from("\n"), after!]),
  ))!;
  expect(partial.status).toBe(202);
  const answer = JSON.parse(partial.body.toString()) as { accepted: number; rejected: unknown[] };
  expect(answer).toMatchObject({ accepted: 2, rejectedCount: 1 });
  expect(answer.rejected[0]).toMatchObject({ ...problem, index: 1 });
  for (const name of names) subject.accepted(name, partial);
});

test("what was quarantined is there with its bytes, whatever they are", async () => {
  const answer = (await subject.exchange(
    "GET /v1/topics/quarantine.gateway/records?from=start HTTP/1.1\r\nhost: localhost\r\n\r\n",
  ))!;
  const records = answer.body
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { value: { code: string; bytes: string } }).value);
  const kept = badRecords.map(({ code, line }) => [code, Buffer.from(line as string).toString("base64")]);
  expect(records.map(({ code, bytes }) => [code, bytes])).toEqual(kept);
});

test.each(oddRecords)("$name is valid", async ({ line, sensorId }) => {
  const answer = (await subject.post("/v1/events/reading", line))!;
  expect([answer.status, answer.status === 202 ? "" : answer.body.toString()]).toEqual([202, ""]);
  subject.accepted(sensorId, answer);
});

test("odd ids and names are found as they were sent", async () => {
  const { levels } = await subject.traverse({
    from: { type: "sensor", ids: ["__proto__", "constructor", "named"] },
    hops: [{ edge: "stands_at" }],
    waitFor: await subject.positions(),
  });
  const properties = levels[0]!.nodes.map((node) => node.properties!);
  expect(properties.map((each) => (Object.hasOwn(each, "__proto__") ? each["__proto__"] : "none"))).toEqual([
    "__proto__",
    "none",
    "none",
  ]);
  expect(properties[1]!["constructor"]).toEqual(["constructor"]);
  expect(new Map(Object.entries(properties[2]!["labels"] as object))).toEqual(
    new Map([
      ["__proto__", "a"],
      ["constructor", "b"],
      ["", "c"],
    ]),
  );
});

test("the graph holds the good events once, and nothing else", async () => {
  await subject.sendGood();
  await subject.expectIntact();
});
