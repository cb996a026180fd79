// Connections that misbehave: slow, endless, cut, half closed, pipelined, idle, by the hundred. Others are served meanwhile, and nothing is left of them.
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { types } from "./bad-request.ts";
import { readingText } from "./record-cases.ts";
import { Subject } from "./subject.ts";
import { request, Wire, type WireAnswer } from "./wire.ts";

const { ndjson } = types;
const path = "/v1/events/reading";
const grownBytesMax = 200_000_000;

let subject: Subject;
const wires: Wire[] = [];
beforeAll(async () => {
  subject = await Subject.start();
});
afterAll(() => subject.stop());
afterEach(async () => {
  for (const wire of wires.splice(0)) wire.close();
  await subject.sendGood();
});

async function open(count: number): Promise<Wire[]> {
  const opened = await Promise.all(Array.from({ length: count }, () => Wire.open(subject.url)));
  wires.push(...opened);
  return opened;
}

async function answersOf(wire: Wire, count: number): Promise<WireAnswer[]> {
  const answers: WireAnswer[] = [];
  for (let i = 0; i < count; i++) answers.push((await wire.answer())!);
  return answers;
}

/** Expects good events to be taken while `work` goes on. */
async function meanwhile(work: () => void): Promise<void> {
  for (let i = 0; i < 5; i++) {
    work();
    await subject.sendGood();
  }
}

test("300 that send their headers byte by byte", async () => {
  const slow = await open(300);
  for (const wire of slow) wire.send("POST /v1/events/reading HTTP/1.1\r\nhost: localhost\r\n");
  await meanwhile(() => slow.forEach((wire) => wire.send("x")));
});

test("300 that send their bodies byte by byte, with lengths and in chunks", async () => {
  const slow = await open(300);
  slow.forEach((wire, i) => {
    const length: Record<string, string> =
      i % 2 === 0 ? { "content-length": "16000000" } : { "content-length": "", "transfer-encoding": "chunked" };
    wire.send(request("POST", path, { ...ndjson, ...length })[0]);
  });
  await meanwhile(() => slow.forEach((wire, i) => wire.send(i % 2 === 0 ? " " : "1\r\n \r\n")));
});

test("100 bodies of 2 MB that are cut in the middle: nothing of them is stored, and nothing is held", async () => {
  const before = subject.residentBytes;
  for (let round = 0; round < 4; round++) {
    const cut = await open(25);
    const lines = `${readingText("cut")}\n`.repeat(5_000);
    for (const wire of cut)
      wire.send(request("POST", path, { ...ndjson, "content-length": "2000000" }, lines)[0], lines);
    await subject.sendGood();
    for (const [i, wire] of cut.entries()) {
      if (i % 2 === 0) wire.close();
      else wire.socket.resetAndDestroy();
    }
  }
  await subject.sendGood();
  expect(subject.residentBytes - before).toBeLessThan(grownBytesMax);
});

test("megabytes in chunks of one byte", async () => {
  const before = subject.residentBytes;
  const [wire] = await open(1);
  wire!.send(request("POST", path, { ...ndjson, "content-length": "", "transfer-encoding": "chunked" })[0]);
  for (let i = 0; i < 5; i++) wire!.send("1\r\n \r\n".repeat(100_000));
  expect((await wire!.answer())?.status).toBe(400);
  await subject.sendGood();
  expect(subject.residentBytes - before).toBeLessThan(grownBytesMax);
});

test("a chunk that claims 2^64 bytes waits, and keeps nobody out", async () => {
  const [wire] = await open(1);
  wire!.send(request("POST", path, { ...ndjson, "content-length": "", "transfer-encoding": "chunked" })[0]);
  wire!.send("ffffffffffffffff\r\nabc");
  await subject.sendGood();
});

test("pipelined requests are answered in order", async () => {
  const [wire] = await open(1);
  const ids = Array.from({ length: 200 }, () => subject.freshId());
  const parts = ids.flatMap((id, i) => [
    ...request("POST", path, ndjson, readingText(id)),
    ...request("GET", i % 2 === 0 ? "/livez" : "/nothing"),
  ]);
  wire!.send(Buffer.concat(parts));
  const answers = await answersOf(wire!, 400);
  expect(answers.map(({ status }) => status)).toEqual(ids.flatMap((_, i) => [202, i % 2 === 0 ? 200 : 404]));
  ids.forEach((id, i) => subject.accepted(id, answers[2 * i]!));
});

test("an event with garbage behind it on the connection is answered as what it is: stored", async () => {
  const [wire] = await open(1);
  const id = subject.freshId();
  wire!.send(...request("POST", path, ndjson, readingText(id)), "\0\0garbage\r\n\r\n");
  subject.accepted(id, (await wire!.answer())!);
  expect(await wire!.answer()).toBeUndefined();
});

test("a good request behind one that is refused unread is taken", async () => {
  const [wire] = await open(1);
  const id = subject.freshId();
  wire!.send(...request("POST", "/v1/events/nothing", ndjson, "x".repeat(3_000_000)));
  wire!.send(...request("POST", path, ndjson, readingText(id)));
  const [refused, taken] = await answersOf(wire!, 2);
  expect(refused!.status).toBe(404);
  subject.accepted(id, taken!);
});

test("a half-closed connection counts as given up: with its key, the event is stored once all the same", async () => {
  const id = subject.freshId();
  const whole = request("POST", path, { ...ndjson, "idempotency-key": "half closed" }, readingText(id));
  const [half, again] = await open(2);
  half!.send(...whole).socket.end();
  await half!.closed();
  again!.send(...whole);
  subject.accepted(id, (await again!.answer())!);
});

test("Expect: 100-continue is answered before the body is sent", async () => {
  const [wire] = await open(1);
  const id = subject.freshId();
  const body = readingText(id);
  wire!.send(request("POST", path, { ...ndjson, expect: "100-continue" }, body)[0]);
  while (wire!.socket.bytesRead === 0) await wait(1);
  wire!.send(body);
  subject.accepted(id, (await wire!.answer())!);
});

test("500 idle connections, and 500 that are reset", async () => {
  await open(500);
  for (const wire of await open(500)) wire.socket.resetAndDestroy();
  await subject.sendGood();
});

test("40 readers of topics: the bound refuses some, and leaves events and queries alone", async () => {
  const readers = await open(40);
  for (const wire of readers) wire.send(...request("GET", "/v1/topics/events.reading/records?follow=true&from=start"));
  const refused = readers.slice(32);
  for (const wire of refused) expect((await wire.answer())?.status).toBe(429);
  await subject.sendGood();
  for (const wire of readers) wire.close();
  const [last] = await open(1);
  for (;;) {
    last!.send(...request("GET", "/v1/topics/events.reading/records?limit=1&from=start"));
    const answer = await last!.answer();
    if (answer?.status === 200) break;
    await wait(5);
  }
});

test("queries whose callers leave are given up", async () => {
  const ask = JSON.stringify({
    from: { type: "sensor", ids: ["a"] },
    waitFor: ["events.reading/0@9007199254740991"],
    timeoutMs: 10_000,
  });
  for (let round = 0; round < 3; round++) {
    const callers = await open(200);
    for (const wire of callers) wire.send(...request("POST", "/v1/traverse", types.json, ask));
    await subject.sendGood();
    for (const wire of callers) wire.close();
  }
});

test("in the end nothing is held by anybody", async () => {
  const mine = "http_others";
  const held = async (): Promise<string[]> => {
    const answer = (await subject.exchange(...request("GET", "/metrics")))!;
    const fills = answer.body
      .toString()
      .matchAll(/^rdg_queue_fill\{queue="(http_\w+|gateway|traversals|store_waiters)".* (\d+)$/gm);
    const all = Array.from(fills, ([, queue, fill]) => ({ queue: queue!, fill: Number(fill) }));
    expect(all.length).toBeGreaterThan(10);
    return all
      .filter(({ queue, fill }) => queue !== "http_connections" && fill > (queue === mine ? 1 : 0))
      .map(({ queue, fill }) => `${queue} ${fill}`);
  };
  while ((await held()).length > 0) await wait(10);
});

test("the graph holds the good events once, and nothing else", async () => {
  await subject.expectIntact();
});
