// Answers line by line: asked for by Accept, at the pace of who takes them, given up with them, an error in its place.
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { systemClock, systemTimers } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import type { GraphModel } from "../model/definition.ts";
import type { Queries, QueryContext } from "../query/port.ts";
import { type HttpServer, createServer } from "./server.ts";

const model: GraphModel = {
  format: 1,
  name: "test",
  events: [],
  sideInputs: [],
  nodes: [],
  edges: [],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};

const open: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

type Lines = (request: unknown, context: QueryContext) => AsyncIterable<Uint8Array>;

function serve(traverseLines: Lines, queryStreamsMax = 64): HttpServer {
  const notAsked = (): never => {
    throw new Error("not asked");
  };
  const others = new Proxy({} as Queries, { get: (_, name) => (name === "traverseLines" ? traverseLines : notAsked) });
  const server = createServer({
    model,
    clock: systemClock,
    timers: systemTimers,
    queries: others,
    settings: { port: 0, queryStreamsMax },
  });
  open.push(server);
  return server;
}

const line = (value: unknown): Uint8Array => Buffer.from(`${JSON.stringify(value)}\n`);
const asked = {
  method: "POST",
  url: "/v1/traverse",
  headers: { host: "localhost", "content-type": "application/json", accept: "application/x-ndjson" },
  payload: '{"from":1}',
} as const;

test("lines come as they are made, to who asks for them", async () => {
  const { app } = serve(async function* (request) {
    yield line({ level: 0, request });
    yield line({ end: {} });
  });
  const answer = await app.inject(asked);
  expect([answer.statusCode, answer.headers["content-type"]]).toEqual([200, "application/x-ndjson; charset=utf-8"]);
  expect(answer.body).toBe('{"level":0,"request":{"from":1}}\n{"end":{}}\n');
});

test("what fails before the first line is an error as always", async () => {
  // oxlint-disable-next-line require-yield -- it fails before it can
  const { app } = serve(async function* () {
    throw new RdgError("invalid", "unknown_edge_type", "There is no such edge type.", { place: "/hops/0/edge" });
  });
  const answer = await app.inject(asked);
  expect([answer.statusCode, answer.json().code]).toEqual([400, "unknown_edge_type"]);
});

test("what fails later is the last line", async () => {
  const { app } = serve(async function* () {
    yield line({ level: 0, nodes: [] });
    throw new RdgError("unavailable", "store_failed", "The store is gone.");
  });
  const { body } = await app.inject(asked);
  const lines = body.trimEnd().split("\n");
  expect(lines).toHaveLength(2);
  expect(JSON.parse(lines[1]!)).toEqual({
    error: expect.objectContaining({
      type: "urn:rdg:problem:store_failed",
      status: 503,
      code: "store_failed",
    }) as unknown,
  });
});

test("who takes nothing holds the traversal where it is; who goes away ends it", async () => {
  const seen = { made: 0, ended: false };
  let signal: AbortSignal | undefined;
  const server = serve(async function* (_request, context) {
    signal = context.signal;
    try {
      for (;;) {
        seen.made++;
        yield line({ text: "x".repeat(100_000) });
      }
    } finally {
      seen.ended = true;
    }
  });
  await server.listen();
  const socket = connect((server.app.server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  socket.pause();
  const head = ["POST /v1/traverse HTTP/1.1", "Host: localhost", "Content-Type: application/json"];
  socket.write([...head, "Accept: application/x-ndjson", "Content-Length: 2", "", "{}"].join("\r\n"));
  for (let before = -1; seen.made === 0 || seen.made !== before; await wait(100)) before = seen.made;
  // What the kernel's buffers take, and a few lines on the way: an endless answer stands still.
  expect(seen.made).toBeLessThan(500);
  expect(server.bounds.answers.bytes).toBeGreaterThan(0);
  expect(server.bounds.answers.bytes).toBeLessThan(1_000_000);
  expect(server.bounds.queryStreams.running).toBe(1);
  socket.destroy();
  while (!seen.ended) await wait(5);
  expect(signal?.aborted).toBe(true);
  expect([server.bounds.queryStreams.running, server.bounds.answers.bytes]).toEqual([0, 0]);
});

test("there are only so many at once", async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const { app } = serve(async function* () {
    yield line({});
    await held;
  }, 1);
  const first = app.inject(asked);
  await wait(20);
  const second = await app.inject(asked);
  release();
  expect([second.statusCode, second.json().code]).toEqual([429, "too_many_requests"]);
  expect((await first).statusCode).toBe(200);
});
