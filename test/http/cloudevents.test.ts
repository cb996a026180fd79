// CloudEvents at a whole running server: what the CNCF's SDK sends arrives as events; what cannot be mapped is told, or quarantined.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CloudEvent, HTTP, type Message } from "cloudevents";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningRdg, embeddedSettings, startEmbedded } from "../../src/compose.ts";
import { resolveSettings } from "../../src/core/settings.ts";
import { defineGraph, event, job, node, t } from "../../src/index.ts";

const seen = event("seen", {
  key: "who",
  time: "at",
  id: "eventId",
  fields: { who: t.string(), at: t.timestamp(), eventId: t.string(), level: t.int64().optional() },
});
const gone = event("gone", { key: "who", time: "at", fields: { who: t.string(), at: t.timestamp() } });
const person = node("person", { level: t.int64() });
const graph = defineGraph("cloudevents", {
  jobs: [
    job(seen).emit((e) => [person.upsert(e.who, { level: e.level })]),
    job(gone).emit((e) => [person.remove(e.who)]),
  ],
});

let folder: string;
let rdg: RunningRdg;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-cloudevents-"));
  const { values } = resolveSettings(embeddedSettings, { flags: { data: folder, port: 0, "log.level": "silent" } });
  rdg = await startEmbedded(graph, values);
  await rdg.ready;
});

afterAll(async () => {
  await rdg.close();
  await rm(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly body: {
    readonly accepted?: number;
    readonly positions?: readonly string[];
    readonly code?: string;
    readonly errors?: readonly Problem[];
    readonly rejected?: readonly Problem[];
    readonly rejectedCount?: number;
    readonly duplicate?: boolean;
  };
}

interface Problem {
  readonly index: number;
  readonly field?: string;
  readonly code: string;
}

async function send(headers: Record<string, string>, body: string | undefined, query = ""): Promise<Answer> {
  const answer = await fetch(`${rdg.url}/v1/cloudevents${query}`, {
    method: "POST",
    headers,
    ...(body === undefined ? {} : { body }),
  });
  return { status: answer.status, body: (await answer.json()) as Answer["body"] };
}

function sendMessage({ headers, body }: Message): Promise<Answer> {
  return send(headers as Record<string, string>, body as string);
}

/** CloudEvents that belong to no event, so far. */
async function unknownEvents(): Promise<Record<string, number>> {
  const lines = (await (await fetch(`${rdg.url}/metrics`)).text()).matchAll(
    /^rdg_gateway_bad_records_total\{kind="unknown",name="",outcome="(\w+)"\} (\d+)$/gm,
  );
  return Object.fromEntries([...lines].map(([, outcome, count]) => [outcome, Number(count)]));
}

async function records(topic: string): Promise<readonly { readonly value: Record<string, unknown> }[]> {
  const answer = await fetch(`${rdg.url}/v1/topics/${topic}/records?from=start`);
  const lines = (await answer.text()).split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as { value: Record<string, unknown> });
}

const base = { specversion: "1.0", source: "/test", type: "com.example.seen" };
const structured = { "content-type": "application/cloudevents+json" };
const batched = { "content-type": "application/cloudevents-batch+json" };

describe("what the SDK of the CNCF sends", () => {
  const cloudEvent = (id: string) =>
    new CloudEvent({ id, source: "/sdk", type: "seen", time: "2026-11-21T10:00:00.000Z", data: { who: id, level: 7 } });

  test("is an event, in each mode", async () => {
    const sent = [
      await sendMessage(HTTP.binary(cloudEvent("binary"))),
      await sendMessage(HTTP.structured(cloudEvent("structured"))),
      await send(batched, JSON.stringify([cloudEvent("first"), cloudEvent("second")])),
    ];
    expect(sent.map(({ status, body }) => [status, body.accepted])).toEqual([
      [202, 1],
      [202, 1],
      [202, 2],
    ]);
    const values = (await records("events.seen")).map(({ value }) => value);
    for (const id of ["binary", "structured", "first", "second"]) {
      expect(values).toContainEqual({ who: id, eventId: id, at: "2026-11-21T10:00:00.000Z", level: "7" });
    }
  });
});

describe("a CloudEvent", () => {
  test("fills id and time of the event only where its data does not", async () => {
    const data = { who: "own", eventId: "mine", at: "2026-01-01T00:00:00Z" };
    await send(structured, JSON.stringify({ ...base, id: "other", time: "2026-11-21t10:00:00.123456789123z", data }));
    await send(
      structured,
      JSON.stringify({ ...base, id: "filled", time: "2026-11-21t10:00:00.123456789123z", data: { who: "filled" } }),
    );
    const values = (await records("events.seen")).map(({ value }) => value);
    expect(values).toContainEqual({ who: "own", eventId: "mine", at: "2026-01-01T00:00:00.000Z" });
    expect(values).toContainEqual({ who: "filled", eventId: "filled", at: "2026-11-21T10:00:00.123Z" });
  });

  test("without a body, in binary mode, is an event without data", async () => {
    const answer = await send(
      { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/", "ce-type": "seen" },
      undefined,
    );
    expect(answer.status).toBe(400);
    expect(answer.body.errors?.map(({ field, code }) => [field, code])).toEqual([
      ["who", "missing_field"],
      ["at", "missing_field"],
    ]);
  });

  test("is stored once under an idempotency key, whatever it is beside", async () => {
    const events = [
      { ...base, id: "k1", time: "2026-11-21T10:00:00Z", data: { who: "k1" } },
      { ...base, type: "gone", id: "k2", time: "2026-11-21T10:00:00Z", data: { who: "k2" } },
      { ...base, type: "nothing", id: "k3" },
      { ...base, id: "k4", data: { who: 4 } },
    ];
    const headers = { ...batched, "idempotency-key": "once" };
    const before = (await records("quarantine.gateway")).length;
    const first = await send(headers, JSON.stringify(events), "?partial=true");
    const second = await send(headers, JSON.stringify(events), "?partial=true");
    expect(first.body).toMatchObject({ accepted: 2, rejectedCount: 2 });
    expect(second.body).toEqual({ ...first.body, duplicate: true });
    expect(await records("quarantine.gateway")).toHaveLength(before + 2);
  });
});

describe("what cannot be an event", () => {
  const time = "2026-11-21T10:00:00Z";
  const cases: readonly (readonly [name: string, event: object, code: string, field: string | undefined])[] = [
    ["no type", { ...base, type: undefined, id: "1" }, "missing_attribute", "type"],
    ["no id", base, "missing_attribute", "id"],
    ["an id that is no text", { ...base, id: 1 }, "bad_attribute", "id"],
    ["no source", { ...base, source: undefined, id: "1" }, "missing_attribute", "source"],
    ["another version", { ...base, specversion: "0.3", id: "1" }, "bad_attribute", "specversion"],
    ["an unknown type", { ...base, type: "com.example.sene", id: "1" }, "unknown_event", "type"],
    ["a bad time", { ...base, id: "1", time: "yesterday" }, "bad_attribute", "time"],
    [
      "data of another type",
      { ...base, id: "1", datacontenttype: "text/plain", data: "x" },
      "unsupported_data",
      "datacontenttype",
    ],
    ["data that is no object", { ...base, id: "1", data: [1] }, "bad_data", undefined],
    ["data that is not JSON", { ...base, id: "1", data_base64: "AAEC" }, "bad_data", undefined],
    ["a field that is not declared", { ...base, id: "1", time, data: { who: "x", what: 1 } }, "unknown_field", "what"],
    ["a number beyond all", { ...base, id: "1", time, data: { who: "x", level: "INFINITE" } }, "not_finite", undefined],
  ];
  for (const [name, cloudEvent, code, field] of cases) {
    test(`${name}: is refused, or quarantined as it came`, async () => {
      const body = JSON.stringify(cloudEvent).replace('"INFINITE"', "1e400");
      const before = (await records("quarantine.gateway")).length;
      const refused = await send(structured, body);
      expect([refused.status, refused.body.code]).toEqual([400, "bad_records"]);
      expect(refused.body.errors).toEqual([expect.objectContaining({ index: 0, code, ...(field && { field }) })]);
      expect(await records("quarantine.gateway")).toHaveLength(before);
      const kept = await send(structured, body, "?partial=true");
      expect(kept).toMatchObject({
        status: 202,
        body: { accepted: 0, rejectedCount: 1, rejected: [{ index: 0, code }] },
      });
      const quarantined = await records("quarantine.gateway");
      expect(quarantined).toHaveLength(before + 1);
      expect(quarantined.at(-1)!.value).toMatchObject({ stage: "gateway", code });
      const bytes = Buffer.from(quarantined.at(-1)!.value["bytes"] as string, "base64").toString();
      if (code !== "unknown_field" && code !== "not_finite") expect(JSON.parse(bytes)).toEqual(JSON.parse(body));
    });
  }

  test("counts in the metrics as of no event, refused and quarantined", async () => {
    const { rejected, quarantined } = await unknownEvents();
    const events = [
      { ...base, type: "nothing", id: "m0", time },
      { ...base, id: "m1", time, data: { who: "counted" } },
    ];
    await send(batched, JSON.stringify(events));
    await send(batched, JSON.stringify(events), "?partial=true");
    expect(await unknownEvents()).toEqual({ rejected: rejected! + 1, quarantined: quarantined! + 1 });
  });

  test("takes its whole batch with it, of whatever events that is", async () => {
    const events = [
      { ...base, id: "b0", time, data: { who: "whole" } },
      { ...base, type: "gone", id: "b1", time, data: { who: "whole" } },
      { ...base, type: "gone", id: "b2", time, data: { who: 5 } },
      { ...base, id: "b3", time, data: { who: "whole", level: "x" } },
    ];
    const answer = await send(batched, JSON.stringify(events));
    expect(answer.body.errors?.map(({ index, code }) => [index, code])).toEqual([
      [2, "wrong_type"],
      [3, "out_of_range"],
    ]);
    const stored = [...(await records("events.seen")), ...(await records("events.gone"))];
    expect(stored.filter(({ value }) => value["who"] === "whole")).toEqual([]);
  });

  const requests: readonly (readonly [
    name: string,
    headers: Record<string, string>,
    body: string,
    status: number,
    code: string,
  ])[] = [
    ["a request without attributes", { "content-type": "application/json" }, "{}", 400, "not_a_cloudevent"],
    ["a body that is not JSON", structured, "{", 400, "bad_json"],
    ["a batch that is no list", batched, "{}", 400, "not_a_list"],
    ["another format", { "content-type": "application/cloudevents+xml" }, "<x/>", 415, "unsupported_media_type"],
    [
      "another charset",
      { "content-type": "application/cloudevents+json; charset=utf-16" },
      "{}",
      415,
      "unsupported_media_type",
    ],
    [
      "data without end",
      structured,
      JSON.stringify({ ...base, id: "1" }).replace("}", `,"data":${"[".repeat(50_000)}${"]".repeat(50_000)}}`),
      400,
      "bad_json",
    ],
  ];
  for (const [name, headers, body, status, code] of requests) {
    test(`${name}: is refused, also as partial`, async () => {
      for (const query of ["", "?partial=true"]) {
        const answer = await send(headers, body, query);
        expect([answer.status, answer.body.code]).toEqual([status, code]);
      }
    });
  }

  test("an empty batch is fine", async () => {
    expect(await send(batched, "[]")).toEqual({ status: 202, body: { accepted: 0, positions: [] } });
  });
});
