// The HTTP server: what it passes on, what it answers, what it refuses, and how it ends.
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import * as fc from "fast-check";
import { Registry } from "prom-client";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock, systemTimers } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import { BadRecords, type Gateway, type ProduceAnswer, type ProduceRequest } from "../gateway/port.ts";
import type { GraphModel } from "../model/definition.ts";
import type { Queries, QueryAnswer } from "../query/port.ts";
import { type HttpServer, type ServerOptions, createServer } from "./server.ts";

const named = { fields: [], key: "id" };
const timed = { ...named, time: "at", dedupHorizonMs: 0, partitions: 1, retention: {} };
const model: GraphModel = {
  format: 1,
  name: "test",
  events: [
    { ...timed, name: "playback" },
    { ...timed, name: "e" },
  ],
  sideInputs: [
    { ...named, name: "catalogue" },
    { ...named, name: "a/b" },
  ],
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

function serve(options: Partial<ServerOptions> = {}): HttpServer {
  const server = createServer({
    model,
    clock: systemClock,
    timers: systemTimers,
    ...options,
    settings: { port: 0, ...options.settings },
  });
  open.push(server);
  return server;
}

function gatewayOf(produce: (request: ProduceRequest) => Promise<Partial<ProduceAnswer>>): Gateway {
  return {
    produce: async (request) => ({
      accepted: 0,
      positions: [],
      duplicate: false,
      rejected: [],
      rejectedCount: 0,
      ...(await produce(request)),
    }),
    produceMixed: () => Promise.reject(new Error("not asked")),
    close: async () => {},
  };
}

const answerOf = (value: unknown): QueryAnswer => ({ json: Buffer.from(JSON.stringify(value)) });

/** Answers what it was asked. */
const echo: Queries = {
  traverse: async (request) => answerOf({ traverse: request }),
  query: async (request) => answerOf({ query: request }),
  traverseParts: async function* () {},
  queryParts: async function* () {},
  traverseLines: async function* () {},
  queryLines: async function* () {},
  node: async (type, id) => answerOf([type, id]),
  edge: async (type, from, to) => answerOf([type, from, to]),
  nodes: async (request) => ({ nodes: [], asOf: [], asked: request }),
  edges: async (request) => ({ edges: [], asOf: [], asked: request }),
  count: async (request) => ({ counts: [], asOf: [], asked: request }),
  shortestPath: async (request) => ({ found: false, complete: true, asOf: [], asked: request }),
  commonNeighbours: async (request) => ({ nodes: [], edges: [], complete: true, asOf: [], asked: request }),
};

const host = { host: "localhost:7400" };
const ndjson = { ...host, "content-type": "application/x-ndjson" };
const json = { ...host, "content-type": "application/json" };

describe("events and inputs", () => {
  test("go to the gateway as the bytes they came as", async () => {
    const asked: ProduceRequest[] = [];
    const gateway = gatewayOf(async (request) => {
      asked.push(request);
      return { accepted: 2, positions: ["events.playback/0@1"] };
    });
    const { app } = serve({ gateway });
    const payload = '{"a":1}\n{"a":2}\n';
    const answer = await app.inject({
      method: "POST",
      url: "/v1/events/playback?partial=true",
      headers: { ...ndjson, "idempotency-key": "k1" },
      payload,
    });
    expect(answer.statusCode).toBe(202);
    expect(answer.json()).toEqual({ accepted: 2, positions: ["events.playback/0@1"] });
    const avro = { ...host, "content-type": "avro/binary" };
    await app.inject({ method: "POST", url: "/v1/inputs/catalogue", headers: avro, payload: Buffer.from([0, 1, 2]) });
    await app.inject({
      method: "POST",
      url: "/v1/inputs/a%2Fb",
      headers: { ...json, "content-type": "application/json; charset=utf-8" },
      payload: "{}",
    });
    const requests = asked.map((request) => ({ ...request, body: Buffer.from(request.body).toString() }));
    expect(requests).toEqual([
      {
        target: { kind: "event", name: "playback" },
        format: "ndjson",
        body: payload,
        partial: true,
        idempotencyKey: "k1",
      },
      { target: { kind: "input", name: "catalogue" }, format: "avro", body: "\0\u0001\u0002", partial: false },
      { target: { kind: "input", name: "a/b" }, format: "json", body: "{}", partial: false },
    ]);
  });

  test("that are refused come back with every problem", async () => {
    const problems = [{ index: 3, field: "at", code: "missing", reason: "It is missing" }];
    const gateway = gatewayOf(() => Promise.reject(new BadRecords(problems, 7, 10)));
    const answer = await serve({ gateway }).app.inject({
      method: "POST",
      url: "/v1/events/e",
      headers: json,
      payload: "[]",
    });
    expect(answer.statusCode).toBe(400);
    expect(answer.headers["content-type"]).toContain("application/problem+json");
    expect(answer.json()).toMatchObject({ status: 400, code: "bad_records", errors: problems, errorCount: 7 });
  });

  test.each([
    ["overloaded", 2_500, 429, "3"],
    ["unavailable", undefined, 503, "1"],
    ["conflict", undefined, 409, undefined],
    ["not_found", undefined, 404, undefined],
  ] as const)("fail with the status of %s", async (kind, retryAfterMs, status, retryAfter) => {
    const gateway = gatewayOf(() =>
      Promise.reject(new RdgError(kind, "some_code", "Why.", { retryAfterMs, hint: "Do.", place: "here" })),
    );
    const answer = await serve({ gateway }).app.inject({
      method: "POST",
      url: "/v1/events/e",
      headers: json,
      payload: "{}",
    });
    expect(answer.statusCode).toBe(status);
    expect(answer.headers["retry-after"]).toBe(retryAfter);
    expect(answer.json()).toMatchObject({ code: "some_code", detail: "Why.", hint: "Do.", place: "here" });
  });

  test("are refused when their type, encoding, size or parameters are not understood", async () => {
    const { app } = serve({ gateway: gatewayOf(async () => ({})), settings: { eventBytesMax: 10 } });
    const post = async (headers: Record<string, string>, payload: string, query = ""): Promise<[number, unknown]> => {
      const answer = await app.inject({
        method: "POST",
        url: `/v1/events/e${query}`,
        headers: { ...host, ...headers },
        payload,
      });
      return [answer.statusCode, answer.json<{ code: string }>().code];
    };
    expect(await post({ "content-type": "text/plain" }, "{}")).toEqual([415, "unsupported_media_type"]);
    expect(await post({ "content-type": "application/json", "content-encoding": "gzip" }, "{}")).toEqual([
      415,
      "unsupported_media_type",
    ]);
    expect(await post({}, "")).toEqual([415, "unsupported_media_type"]);
    expect(await post({ "content-type": "application/json" }, "x".repeat(11))).toEqual([413, "body_too_large"]);
    expect(await post({ "content-type": "application/json" }, "{}", "?partial=yes")).toEqual([400, "bad_parameter"]);
    const key = { "content-type": "application/json", "idempotency-key": "k".repeat(257) };
    expect(await post(key, "{}")).toEqual([400, "bad_idempotency_key"]);
  });

  test("beyond the bytes in flight are refused until others are done", async () => {
    const doors: (() => void)[] = [];
    const gateway = gatewayOf(() => new Promise((resolve) => doors.push(() => resolve({}))));
    const { app } = serve({ gateway, settings: { bytesInFlightMax: 15 } });
    const post = (): Promise<number> =>
      app
        .inject({ method: "POST", url: "/v1/events/e", headers: json, payload: "1234567890" })
        .then((answer) => answer.statusCode);
    const first = post();
    while (doors.length === 0) await wait(1);
    expect(await post()).toBe(429);
    doors[0]!();
    expect(await first).toBe(202);
    const third = post();
    while (doors.length === 1) await wait(1);
    doors[1]!();
    expect(await third).toBe(202);
  });
});

describe("queries", () => {
  test("are passed on as JSON, also with names that objects have", async () => {
    const { app } = serve({ queries: echo });
    const payload = '{"from":{"__proto__":1,"constructor":2}}';
    const answer = await app.inject({ method: "POST", url: "/v1/traverse", headers: json, payload });
    expect(answer.statusCode).toBe(200);
    expect(answer.body).toBe(`{"traverse":${payload}}`);
    expect(answer.headers["content-type"]).toBe("application/json; charset=utf-8");
    const asked = await app.inject({ method: "POST", url: "/v1/query", headers: json, payload: '{"query":"x"}' });
    expect(asked.json()).toEqual({ query: { query: "x" } });
    const bad = await app.inject({ method: "POST", url: "/v1/traverse", headers: json, payload: "{" });
    expect([bad.statusCode, bad.json<{ code: string }>().code]).toEqual([400, "bad_json"]);
  });

  test("find nodes and edges by any id in the path", async () => {
    const { url } = await serve({ queries: echo }).listen();
    const ids = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
      .filter((id) => id !== "." && id !== ".." && id.isWellFormed());
    const long = fc.constantFrom("é".repeat(512), "%2F/?#%", "a;b=c", "__proto__", "\0\n", "💡".repeat(256));
    await fc.assert(
      fc.asyncProperty(fc.oneof(ids, long), fc.oneof(ids, long), async (from, to) => {
        const node = await fetch(`${url}/v1/nodes/account/${encodeURIComponent(from)}`);
        expect(await node.json()).toEqual(["account", from]);
        const edge = await fetch(`${url}/v1/edges/uses/${encodeURIComponent(from)}/${encodeURIComponent(to)}`);
        expect(await edge.json()).toEqual(["uses", from, to]);
      }),
      { numRuns: 60 },
    );
    expect((await fetch(`${url}/v1/nodes/account/%E0%A4%A`)).status).toBe(400);
  });

  test("are answered 504 when positions were not applied in time, and 429 beyond the bound", async () => {
    const late = new RdgError("unavailable", "not_applied_yet", "Not yet.", { retryAfterMs: 1_000 });
    const { app } = serve({ queries: { ...echo, traverse: () => Promise.reject(late) } });
    const answer = await app.inject({ method: "POST", url: "/v1/traverse", headers: json, payload: "{}" });
    expect([answer.statusCode, answer.headers["retry-after"]]).toEqual([504, "1"]);
    const busy = serve({ queries: echo, settings: { queriesInFlightMax: 0 } }).app;
    expect((await busy.inject({ method: "GET", url: "/v1/nodes/a/b", headers: host })).statusCode).toBe(429);
  });

  test("are given up when their caller goes away", async () => {
    const asked = Promise.withResolvers<AbortSignal>();
    const traverse: Queries["traverse"] = (_request, { signal: given }) => {
      asked.resolve(given);
      return new Promise((_resolve, reject) =>
        given.addEventListener("abort", () => reject(new RdgError("closed", "request_aborted", "Gone."))),
      );
    };
    const { url } = await serve({ queries: { ...echo, traverse } }).listen();
    const caller = new AbortController();
    const request = fetch(`${url}/v1/traverse`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
      signal: caller.signal,
    });
    const signal = await asked.promise;
    caller.abort();
    await expect(request).rejects.toThrow();
    while (!signal.aborted) await wait(1);
  });
});

describe("the server", () => {
  test("says what there is at other paths and for other methods", async () => {
    const { app } = serve({ queries: echo });
    const unknown = await app.inject({ method: "GET", url: "/v1/travers", headers: host });
    expect(unknown.statusCode).toBe(404);
    expect(unknown.json()).toMatchObject({ code: "unknown_path", hint: 'Did you mean "/v1/traverse"?' });
    const method = await app.inject({ method: "GET", url: "/v1/traverse", headers: host });
    expect([method.statusCode, method.headers.allow]).toEqual([405, "POST"]);
  });

  test("answers nobody who was led here by another name or another page", async () => {
    const { app } = serve({ queries: echo, settings: { allowedHosts: ["graph.test", "localhost:5173"] } });
    const ask = async (headers: Record<string, string>): Promise<number> =>
      (await app.inject({ method: "GET", url: "/v1/nodes/a/b", headers })).statusCode;
    expect(await ask({ host: "evil.test:7400" })).toBe(403);
    expect(await ask({ host: "127.0.0.1.evil.test" })).toBe(403);
    expect(await ask({ host: "127.0.0.1:7400" })).toBe(200);
    expect(await ask({ host: "[::1]:7400" })).toBe(200);
    expect(await ask({ host: "graph.test" })).toBe(200);
    expect(await ask({ host: "localhost:7400", origin: "http://localhost:7400" })).toBe(200);
    expect(await ask({ host: "localhost:7400", origin: "http://localhost:5173" })).toBe(200);
    expect(await ask({ host: "localhost:7400", origin: "http://localhost:3000" })).toBe(403);
    expect(await ask({ host: "localhost:7400", origin: "https://evil.test" })).toBe(403);
    expect(await ask({ host: "localhost:7400", origin: "null" })).toBe(403);
    const open = serve({ queries: echo, settings: { host: "0.0.0.0" } }).app;
    expect((await open.inject({ method: "GET", url: "/v1/nodes/a/b", headers: { host: "any.test" } })).statusCode).toBe(
      200,
    );
  });

  test("tells callers nothing of its own errors, and its log all", async () => {
    const errors: unknown[] = [];
    const bug = new TypeError("secret of /home/me");
    const { app } = serve({
      queries: { ...echo, node: () => Promise.reject(bug) },
      onError: (error) => errors.push(error),
    });
    const answer = await app.inject({ method: "GET", url: "/v1/nodes/a/b", headers: host });
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain("secret");
    expect(errors).toEqual([bug]);
  });

  test("tells how it is", async () => {
    const registry = new Registry();
    const readiness = { ready: false, reason: "Reading the log." };
    const fields = [{ name: "stars", type: { kind: "double" }, optional: false } as const];
    const enrichment = { name: "ratings", on: "a", fields };
    const { app } = serve({
      queries: echo,
      metrics: registry,
      status: () => ({ graph: "test" }),
      readiness: () => readiness,
      enrichments: [Object.assign({ batchMax: 5 }, enrichment)],
    });
    const get = (url: string) => app.inject({ method: "GET", url, headers: host });
    expect((await get("/livez")).statusCode).toBe(200);
    const ready = await get("/readyz");
    expect([ready.statusCode, ready.json()]).toEqual([503, readiness]);
    expect((await get("/v1/status")).json()).toEqual({ graph: "test" });
    expect((await get("/v1/definition")).json()).toEqual({ ...model, enrichments: [enrichment] });
    await get("/v1/nodes/a/some-id");
    const metrics = await get("/metrics");
    expect(metrics.body).toContain(
      'rdg_http_request_duration_seconds_count{method="GET",route="/v1/nodes/:type/:id",status="200"} 1',
    );
  });

  test("takes more routes, under its guards", async () => {
    const { app } = serve({ routes: [(scope) => void scope.get("/subjects", (_request, reply) => reply.send(["a"]))] });
    expect((await app.inject({ method: "GET", url: "/subjects", headers: host })).json()).toEqual(["a"]);
    expect((await app.inject({ method: "GET", url: "/subjects", headers: { host: "evil.test" } })).statusCode).toBe(
      403,
    );
  });

  test("cuts what is no HTTP and what comes too slowly", async () => {
    const { port } = await serve({ settings: { headersTimeoutMs: 100 } }).listen();
    const exchange = async (text: string): Promise<string> => {
      const socket = connect(port, "127.0.0.1");
      socket.write(text);
      let answer = "";
      socket.on("data", (data) => (answer += data.toString()));
      await once(socket, "close");
      return answer;
    };
    expect(await exchange("NONSENSE\r\n\r\n")).toMatch(/^HTTP\/1.1 400 [^]*"code":"bad_http"/);
    expect(await exchange("GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")).toMatch(
      /^HTTP\/1.1 408 [^]*"code":"request_timeout"/,
    );
    expect(await exchange(`GET / HTTP/1.1\r\nX-Large: ${"x".repeat(20_000)}`)).toMatch(/^HTTP\/1.1 431 /);
  });

  test("an address that others can reach is refused: there is no authentication", async () => {
    const server = serve({ queries: echo, settings: { host: "0.0.0.0", port: 0 } });
    await expect(server.listen()).rejects.toMatchObject({ kind: "invalid", code: "not_loopback" });
  });

  test("refuses a port that is taken", async () => {
    const { port } = await serve().listen();
    await expect(serve({ settings: { port } }).listen()).rejects.toMatchObject({
      kind: "conflict",
      code: "port_taken",
    });
  });

  test("answers what is in flight before it ends, and ends although a request hangs", async () => {
    const asked = Promise.withResolvers<() => void>();
    const node: Queries["node"] = () => new Promise((resolve) => asked.resolve(() => resolve(answerOf("done"))));
    const server = serve({ queries: { ...echo, node } });
    const { url } = await server.listen();
    const request = fetch(`${url}/v1/nodes/a/b`);
    const finish = await asked.promise;
    const closed = server.close();
    finish();
    expect(await (await request).json()).toBe("done");
    await closed;
    await expect(fetch(`${url}/livez`)).rejects.toThrow();

    const hangs = Promise.withResolvers<void>();
    const hanging = serve({
      queries: { ...echo, node: () => new Promise(() => hangs.resolve()) },
      settings: { closeTimeoutMs: 50 },
    });
    const stuck = fetch(`${(await hanging.listen()).url}/v1/nodes/a/b`).catch((error: unknown) => error);
    await hangs.promise;
    await hanging.close();
    expect(await stuck).toBeInstanceOf(Error);
  });
});
