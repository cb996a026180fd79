// What connections may hold: bodies that come slowly or in crumbs, answers that nobody takes, readers of topics; and that everything is given back.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { type Clock, systemClock, systemTimers } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import type { Gateway, ProduceRequest } from "../gateway/port.ts";
import type { GraphModel } from "../model/definition.ts";
import type { TopicRecord, Verification } from "../observe/port.ts";
import type { Queries } from "../query/port.ts";
import { ByteBudget } from "./byte-budget.ts";
import { createServer, type HttpServer, type ServerOptions } from "./server.ts";
import { topicRoutes } from "./topic-routes.ts";

const fields = { fields: [], key: "id", time: "at", dedupHorizonMs: 0, partitions: 1, retention: {} };
const model: GraphModel = {
  format: 1,
  name: "test",
  events: [{ name: "e", ...fields }],
  sideInputs: [],
  nodes: [],
  edges: [],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};

const open: HttpServer[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(open.splice(0).map((server) => server.close()));
});

const taken: ProduceRequest[] = [];
const gateway: Gateway = {
  async produce(request) {
    taken.push(request);
    return { accepted: 1, positions: [], duplicate: false, rejected: [], rejectedCount: 0 };
  },
  produceMixed: () => Promise.reject(new Error("not asked")),
  close: async () => {},
};

async function serve(options: Partial<ServerOptions>): Promise<{ server: HttpServer; port: number; url: string }> {
  taken.length = 0;
  const ports = { clock: systemClock, timers: systemTimers };
  const server = createServer({
    model,
    ...ports,
    ...options,
    settings: { port: 0, closeTimeoutMs: 10, ...options.settings },
  });
  open.push(server);
  return { server, ...(await server.listen()) };
}

/** Everything that comes on a connection until it ends, for as long as it is read. */
class Caller {
  readonly socket: Socket;
  received = "";

  constructor(port: number, request: string) {
    this.socket = connect(port, "127.0.0.1");
    sockets.push(this.socket);
    this.socket.setNoDelay(true);
    this.socket.on("data", (data) => (this.received += data.toString()));
    this.socket.on("error", () => undefined);
    this.socket.write(request);
  }

  async status(): Promise<number> {
    while (!this.received.includes("\r\n\r\n")) await once(this.socket, "data");
    return Number(this.received.slice(9, 12));
  }
}

const post = (headers: string, body = ""): string =>
  `POST /v1/events/e HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n${headers}\r\n\r\n${body}`;
const get = "GET /v1/nodes/a/b HTTP/1.1\r\nhost: localhost\r\n\r\n";

/** Time that passes when it is told to: nobody is slow because the machine is. */
class HandClock implements Clock {
  passedMs = 0;
  readonly now = (): number => systemClock.now();
  readonly monotonicMs = (): number => this.passedMs;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await wait(2);
}

test("a body in pieces of one byte is what it is whole, and refused when it goes on so", async () => {
  const { server, port } = await serve({ gateway });
  const content = JSON.stringify({ text: "x".repeat(9_000) });
  const crumbs = content.replaceAll(/./g, "1\r\n$&\r\n");
  const caller = new Caller(port, post("transfer-encoding: chunked", `${crumbs}0\r\n\r\n`));
  expect(await caller.status()).toBe(202);
  expect(Buffer.from(taken[0]!.body).toString()).toBe(content);
  const more = new Caller(port, post("transfer-encoding: chunked", crumbs + crumbs));
  expect(await more.status()).toBe(400);
  expect(more.received).toContain("bad_body");
  await until(() => server.bounds.eventBodies.bytes === 0);
});

test.each([
  ["an announced length", (size: number) => post(`content-length: ${size}`, "y".repeat(size))],
  [
    "chunks",
    (size: number) => post("transfer-encoding: chunked", `${size.toString(16)}\r\n${"y".repeat(size)}\r\n0\r\n\r\n`),
  ],
])("bodies of every size with %s come whole, in a buffer of their own", async (_, requestOf) => {
  const { port } = await serve({ gateway });
  for (const size of [1, 100, 16_384, 16_385, 262_144, 262_145, 1_000_000]) {
    expect(await new Caller(port, requestOf(size)).status()).toBe(202);
    expect(Buffer.from(taken.pop()!.body).equals(Buffer.alloc(size, "y"))).toBe(true);
  }
});

test("who announces much and sends little holds little; who is slow makes room", async () => {
  const settings = { bytesInFlightMax: 1000, eventBytesMax: 900, slowMs: 20 };
  const clock = new HandClock();
  const { server, port } = await serve({ gateway, settings, clock });
  const slow = [1, 2].map(() => new Caller(port, post("content-length: 550", "z".repeat(400))));
  await until(() => server.bounds.eventBodies.bytes === 800);
  // Nobody is slow yet: there is no room, and that is told before the body comes.
  const early = new Caller(port, post("content-length: 300"));
  expect(await early.status()).toBe(429);
  expect(early.received).toContain("too_many_requests");
  clock.passedMs += 30;
  expect(await new Caller(port, post("content-length: 300", "z".repeat(300))).status()).toBe(202);
  expect(await slow[0]!.status()).toBe(408);
  expect(slow[1]!.received).toBe("");
  slow[1]!.socket.write("z".repeat(150));
  expect(await slow[1]!.status()).toBe(202);
  await until(() => server.bounds.eventBodies.bytes === 0);
});

test("a body that finds no room while it comes is refused, and what it held is given back", async () => {
  const { server, port } = await serve({ gateway, settings: { bytesInFlightMax: 1000, eventBytesMax: 900 } });
  const first = new Caller(port, post("transfer-encoding: chunked", `258\r\n${"z".repeat(600)}\r\n`));
  await until(() => server.bounds.eventBodies.bytes === 600);
  const second = new Caller(port, post("transfer-encoding: chunked", `258\r\n${"z".repeat(600)}\r\n`));
  expect(await second.status()).toBe(429);
  first.socket.write("0\r\n\r\n");
  expect(await first.status()).toBe(202);
  await until(() => server.bounds.eventBodies.bytes === 0);
  expect(server.bounds.eventBodies.holders).toBe(0);
});

test("a body that is cut off, reset or never comes holds nothing afterwards", async () => {
  const { server, port } = await serve({ gateway });
  const callers = [
    new Caller(port, post("content-length: 900", "z".repeat(400))),
    new Caller(port, post("transfer-encoding: chunked", `258\r\n${"z".repeat(600)}\r\n`)),
    new Caller(port, post("content-length: 900")),
  ];
  await until(() => server.bounds.eventBodies.bytes === 1000 && server.bounds.eventBodies.holders === 3);
  callers[0]!.socket.end();
  callers[1]!.socket.resetAndDestroy();
  callers[2]!.socket.destroy();
  await until(() => server.bounds.eventBodies.bytes === 0 && server.bounds.eventBodies.holders === 0);
  expect(taken).toEqual([]);
});

test("a body that stops coming is cut at the timeout", async () => {
  const { server, port } = await serve({ gateway, settings: { headersTimeoutMs: 50, requestTimeoutMs: 100 } });
  const caller = new Caller(port, post("content-length: 900", "z".repeat(400)));
  expect(await caller.status()).toBe(408);
  await until(() => server.bounds.eventBodies.bytes === 0);
});

const large = Buffer.alloc(4_000_000, " ");
const largeAnswers: Queries = {
  traverse: async () => ({ json: large }),
  query: async () => ({ json: large }),
  traverseParts: async function* () {},
  queryParts: async function* () {},
  traverseLines: async function* () {},
  queryLines: async function* () {},
  node: async () => ({ json: large }),
  edge: async () => ({ json: large }),
  nodes: async () => ({ nodes: [], asOf: [] }),
  edges: async () => ({ edges: [], asOf: [] }),
  count: async () => ({ counts: [], asOf: [] }),
  shortestPath: async () => ({ found: false, complete: true, asOf: [] }),
  commonNeighbours: async () => ({ nodes: [], edges: [], complete: true, asOf: [] }),
};

test("answers that are not taken keep others out, until the slowest makes room", async () => {
  const settings = { answerBytesMax: 10_000_000, slowMs: 50 };
  const clock = new HandClock();
  const { server, port } = await serve({ queries: largeAnswers, settings, clock });
  const idle = [1, 2, 3].map(() => {
    const caller = new Caller(port, get);
    caller.socket.pause();
    return caller;
  });
  await until(() => server.bounds.answers.bytes === 12_000_000);
  expect(await new Caller(port, get).status()).toBe(429);
  clock.passedMs += 60;
  const { socket, ...next } = new Caller(port, get);
  await until(() => server.bounds.answers.bytes <= 10_000_000);
  socket.destroy();
  expect(next.received).not.toContain("429");
  for (const caller of idle) caller.socket.destroy();
  await until(() => server.bounds.answers.bytes === 0);
});

test("a connection that takes nothing of its answer is cut", async () => {
  const { server, port } = await serve({ queries: largeAnswers, settings: { stallTimeoutMs: 50 } });
  const caller = new Caller(port, get);
  caller.socket.pause();
  await until(() => server.bounds.answers.bytes === large.length);
  await until(() => server.bounds.answers.bytes === 0);
});

test("queries that wait for positions keep no others out", async () => {
  const doors: (() => void)[] = [];
  const waiting = (): Promise<{ json: Uint8Array }> =>
    new Promise((resolve) => doors.push(() => resolve({ json: Buffer.from("{}") })));
  const queries: Queries = { ...largeAnswers, traverse: waiting, node: async () => ({ json: Buffer.from("{}") }) };
  const { port, url } = await serve({ queries, settings: { waitersMax: 2, queriesInFlightMax: 1 } });
  const body = '{"waitFor":["x/0@1"]}';
  const ask = (): Caller =>
    new Caller(port, post(`content-length: ${body.length}`, body).replace("/v1/events/e", "/v1/traverse"));
  const waiters = [ask(), ask()];
  await until(() => doors.length === 2);
  expect(await ask().status()).toBe(429);
  expect((await fetch(`${url}/v1/nodes/a/b`)).status).toBe(200);
  for (const door of doors) door();
  for (const waiter of waiters) expect(await waiter.status()).toBe(200);
});

const record: TopicRecord = { topic: "t", partition: 0, offset: 0, receivedAt: "", value: 1 };
/** One record, then nothing more until the reader has gone. */
async function* quiet(signal: AbortSignal): AsyncGenerator<TopicRecord> {
  yield record;
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
}

test("readers of topics are bounded, and gone when they are gone", async () => {
  const openTopic = async (_: unknown, signal: AbortSignal): Promise<AsyncIterable<TopicRecord>> => quiet(signal);
  const { server, port } = await serve({
    routes: [(app, bounds) => topicRoutes(app, { openTopic, verifyStore: () => Promise.reject(new Error()) }, bounds)],
    settings: { streamsMax: 2 },
  });
  const follow = "GET /v1/topics/t/records?follow=true HTTP/1.1\r\nhost: localhost\r\n\r\n";
  const readers = [new Caller(port, follow), new Caller(port, follow)];
  await until(() => server.bounds.streams.running === 2);
  expect(await new Caller(port, follow).status()).toBe(429);
  readers[0]!.socket.destroy();
  await until(() => server.bounds.streams.running === 1);
  readers.push(new Caller(port, follow));
  await until(() => server.bounds.streams.running === 2);
});

test("one proof of the store at a time", async () => {
  const door = Promise.withResolvers<void>();
  const verifyStore = async (): Promise<Verification> => {
    await door.promise;
    return { elements: 1, transactions: 2, differences: [], rebuilt: true };
  };
  const openTopic = (): Promise<never> => Promise.reject(new Error());
  const { server, url } = await serve({
    routes: [(app, bounds) => topicRoutes(app, { openTopic, verifyStore }, bounds)],
  });
  const first = fetch(`${url}/v1/store/verify`, { method: "POST" });
  await until(() => server.bounds.proofs.running === 1);
  expect((await fetch(`${url}/v1/store/verify`, { method: "POST" })).status).toBe(429);
  door.resolve();
  expect(await (await first).json()).toMatchObject({ elements: 1 });
  expect((await fetch(`${url}/v1/store/verify`, { method: "POST" })).status).toBe(200);
});

test("status and metrics are bounded; whether it lives is always told", async () => {
  const doors: (() => void)[] = [];
  const status = (): Promise<unknown> => new Promise((resolve) => doors.push(() => resolve({})));
  const { url } = await serve({ status, settings: { othersInFlightMax: 2 } });
  const asked = [1, 2].map(() => fetch(`${url}/v1/status`));
  await until(() => doors.length === 2);
  expect((await fetch(`${url}/v1/status`)).status).toBe(429);
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  for (const door of doors) door();
  for (const answer of await Promise.all(asked)) expect(answer.status).toBe(200);
});

test("what was answered is not taken back by what follows it on the connection", async () => {
  const door = Promise.withResolvers<void>();
  const slow: Gateway = { ...gateway, produce: async (request) => (await door.promise, gateway.produce(request)) };
  const { port } = await serve({ gateway: slow });
  const caller = new Caller(port, `${post("content-length: 2", "{}")}NONSENSE\r\n\r\n`);
  await wait(30);
  expect(caller.received).toBe("");
  door.resolve();
  await once(caller.socket, "close");
  expect(caller.received.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 202"]);
});

test("while the gateway takes nothing, bodies are refused unread", async () => {
  let refusals = 0;
  const refusal = new RdgError("unavailable", "disk_full", "The disk is full.", { retryAfterMs: 60 });
  const full: Gateway = { ...gateway, produce: () => (refusals++, Promise.reject(refusal)) };
  const { server, port } = await serve({ gateway: full });
  const send = async (): Promise<string> => {
    const caller = new Caller(port, post("content-length: 2", "{}"));
    await caller.status();
    return caller.received;
  };
  expect(await send()).toMatch(/ 503 [^]*retry-after: 1\r\n[^]*disk_full/);
  expect(await send()).toMatch(/ 503 [^]*retry-after: 1\r\n[^]*disk_full/);
  expect(refusals).toBe(1);
  await wait(80);
  await send();
  expect(refusals).toBe(2);
  expect(server.bounds.eventBodies.holders).toBe(0);
});

test("a connection whose large body was refused goes on with its next request", async () => {
  const refusal = new RdgError("overloaded", "jobs_behind", "Too much.", { retryAfterMs: 60_000 });
  let isOpen = false;
  const behind: Gateway = {
    ...gateway,
    produce: (request) => (isOpen ? gateway.produce(request) : Promise.reject(refusal)),
  };
  const { server, port } = await serve({ gateway: behind });
  const caller = new Caller(port, post("content-length: 2", "{}"));
  const answers = (): string[] => caller.received.match(/HTTP\/1\.1 \d+/g) ?? [];
  const answered = (count: number): Promise<void> => until(() => answers().length === count);
  await answered(1);
  const large = "x".repeat(1_000_000);
  caller.socket.write(post(`content-length: ${large.length}`, large));
  await answered(2);
  caller.socket.write(post("transfer-encoding: chunked", `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`));
  await answered(3);
  expect(answers()).toEqual(Array(3).fill("HTTP/1.1 429"));
  isOpen = true;
  // The refusal stands for a moment longer.
  for (let count = 4; taken.length === 0; count++) {
    caller.socket.write(post(`content-length: ${large.length}`, large));
    await answered(count);
  }
  expect(answers().at(-1)).toBe("HTTP/1.1 202");
  expect(taken.map(({ body }) => body.length)).toEqual([large.length]);
  await until(() => server.bounds.eventBodies.holders === 0);
});

test("a budget asks the oldest slow holder first, never one that has done its part", () => {
  let nowMs = 0;
  const clock = { now: () => 0, monotonicMs: () => nowMs };
  const refusal = (): RdgError => new RdgError("overloaded", "full", "Full.");
  const budget = new ByteBudget({ bytesMax: 100, graceMs: 10, clock, refusal });
  const cut: string[] = [];
  const hold = (name: string, bytes: number) => {
    const holding = budget.hold(() => {
      cut.push(name);
      holding.release();
    });
    holding.add(bytes);
    return holding;
  };
  hold("done", 40).settle();
  hold("old", 30);
  nowMs = 5;
  hold("young", 30);
  expect(() => hold("none", 1)).toThrow("Full.");
  nowMs = 11;
  hold("next", 20);
  expect([cut, budget.bytes]).toEqual([["old"], 90]);
  expect(() => budget.expect(11)).toThrow("Full.");
  nowMs = 30;
  budget.expect(11);
  expect(cut).toEqual(["old", "young"]);
});
