// What operators get of a whole running server: request ids, readiness, spans, stages, slow queries. And that lines say what a whole answer says.
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { Registry } from "prom-client";
import { afterEach, describe, expect, test } from "vitest";
import { type RunningRdg, embeddedSettings, startEmbedded } from "../../src/compose.ts";
import { readinessOf } from "../../src/compose/readiness.ts";
import { watchQueries } from "../../src/compose/watched-queries.ts";
import { resolveSettings } from "../../src/core/settings.ts";
import { defineGraph, edge, event, job, node, t } from "../../src/index.ts";
import type { LevelAnswer, TraverseAnswer } from "../../src/model/traversal.ts";
import type { ObservedTraversal } from "../../src/query/queries.ts";

const seen = event("seen", {
  key: "who",
  time: "at",
  fields: { who: t.string(), what: t.string(), at: t.timestamp() },
});
const person = node("person", { name: t.string() });
const thing = node("thing");
const saw = edge("saw", person, thing, { properties: { count: t.int64() } });
const graph = defineGraph("operations", {
  jobs: [job(seen).emit((e) => [person.upsert(e.who, { name: e.who }), saw.upsert(e.who, e.what)])],
});

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(flags: Record<string, unknown> = {}): Promise<RunningRdg> {
  const folder = await mkdtemp(join(tmpdir(), "rdg-operations-"));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  const base = { data: folder, port: 0, "log.level": "silent", "jobs.window": "0s" };
  const rdg = await startEmbedded(graph, resolveSettings(embeddedSettings, { flags: { ...base, ...flags } }).values);
  closing.push(() => rdg.close());
  await rdg.ready;
  return rdg;
}

async function post(
  rdg: RunningRdg,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${rdg.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

/** Sends what `who` saw and answers the positions. */
async function send(rdg: RunningRdg, who: string, things: number): Promise<readonly string[]> {
  const at = "2026-11-21T10:00:00Z";
  const events = Array.from({ length: things }, (_, i) => ({ who, what: `thing ${i}`, at }));
  return ((await (await post(rdg, "/v1/events/seen", events)).json()) as { positions: string[] }).positions;
}

const traversal = (waitFor: readonly string[]) => ({
  from: { type: "person", ids: ["ann"] },
  hops: [{ edge: "saw", limit: 5_000, since: "ever" }],
  waitFor,
});

describe("lines of JSON", () => {
  test("say what a whole answer says, in parts", async () => {
    const rdg = await start();
    const asked = traversal(await send(rdg, "ann", 2_500));
    const whole = (await (await post(rdg, "/v1/traverse", asked)).json()) as TraverseAnswer;
    const text = `(person {id: 'ann'})-[:saw {limit: 5000, since: 'ever'}]->()`;
    for (const [path, body] of [
      ["/v1/traverse", asked],
      ["/v1/query", { query: text, waitFor: asked.waitFor }],
    ] as const) {
      const answer = await post(rdg, path, body, { accept: "application/x-ndjson" });
      expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/x-ndjson; charset=utf-8"]);
      const lines = (await answer.text())
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Line);
      expect(lines.length).toBeGreaterThan(5);
      expect(lines.every(({ nodes = [], edges = [] }) => nodes.length <= 1_000 && edges.length <= 1_000)).toBe(true);
      const levels = whole.levels.map((_, level) => joined(lines.filter((line) => line.level === level)));
      expect(levels.map(({ nodes }) => nodes)).toEqual(whole.levels.map(({ nodes }) => nodes));
      expect(levels[1]!.edges).toEqual(whole.levels[1]!.edges);
      const { levels: _, timings: __, ...rest } = whole;
      expect(lines.at(-1)!.end).toMatchObject({ ...rest });
    }
  });
});

interface Line extends Partial<LevelAnswer> {
  readonly level?: number;
  readonly end?: object;
}

function joined(lines: readonly Line[]): { nodes: unknown[]; edges: unknown[] } {
  return { nodes: lines.flatMap(({ nodes = [] }) => nodes), edges: lines.flatMap(({ edges = [] }) => edges) };
}

describe("a request", () => {
  test("is called what its caller calls it, or gets a name; every answer has it", async () => {
    const rdg = await start();
    const idOf = async (headers: Record<string, string>, path = "/livez") =>
      (await fetch(`${rdg.url}${path}`, { headers })).headers.get("x-request-id");
    expect(await idOf({ "x-request-id": "trace:42/a.b" })).toBe("trace:42/a.b");
    expect(await idOf({ "x-request-id": "mine" }, "/nowhere")).toBe("mine");
    const own = [
      await idOf({}),
      await idOf({}),
      await idOf({ "x-request-id": 'no"' }),
      await idOf({ "x-request-id": "x".repeat(129) }),
    ];
    expect(new Set(own).size).toBe(4);
    for (const id of own) expect(id).toMatch(/^[0-9a-z]{10}-[0-9a-z]+$/);
  });
});

describe("readiness", () => {
  test("comes with the reason, and with what is the matter where it does not keep requests away", async () => {
    expect(await readinessOf("catching up", () => Promise.reject(new Error("not asked")))).toMatchObject({
      ready: false,
    });
    expect(await readinessOf("closing", () => Promise.reject(new Error("not asked")))).toMatchObject({ ready: false });
    expect(await readinessOf("serving", () => Promise.reject(new Error("gone")))).toEqual({
      ready: false,
      reason: "The pipeline does not answer: gone",
    });
    const stream = { failure: undefined };
    const status = {
      refusing: "The jobs are far behind.",
      jobs: [
        { event: "seen", state: "retrying", cause: "The disk is full." },
        { event: "gone", state: "running" },
      ],
      log: { partitions: [{ ...stream, topic: "events.seen", partition: 0, failure: "No space." }], journal: stream },
    };
    expect(await readinessOf("serving", async () => status as never)).toEqual({
      ready: true,
      warnings: [
        "Events are refused: The jobs are far behind.",
        "The job of seen is retrying: The disk is full.",
        "Writing events.seen/0 fails: No space.",
      ],
    });
    const rdg = await start();
    expect(await (await fetch(`${rdg.url}/readyz`)).json()).toEqual({ ready: true });
  });
});

describe("stages", () => {
  test("of traversals are in the metrics", async () => {
    const rdg = await start();
    await post(rdg, "/v1/traverse", traversal(await send(rdg, "ann", 3)));
    await post(rdg, "/v1/count", { from: { type: "person", ids: ["ann"] }, edge: "saw" });
    const metrics = await (await fetch(`${rdg.url}/metrics`)).text();
    for (const stage of ["validation", "wait", "store", "assembly", "total"]) {
      expect(metrics).toContain(`rdg_traversal_seconds_count{stage="${stage}"} 1\n`);
    }
    expect(metrics).toContain('rdg_question_seconds_count{question="count"} 1\n');
    expect(metrics).toContain('rdg_queue_max{queue="http_query_streams",of="",unit="requests"} 64\n');
  });
});

describe("slow queries", () => {
  const observed: ObservedTraversal = {
    edges: 1,
    scanned: 2,
    complete: true,
    planMs: 1,
    waitMs: 2,
    traverseMs: 30,
    nodesMs: 4,
    enrichMs: 0,
    encodeMs: 5,
    answerBytes: 6,
    explain: () => ({ hops: [], budget: { edges: 1, scanned: 1, bytes: 1, timeoutMs: 1 } }),
  };
  const context = { signal: new AbortController().signal, requestId: "r1" };
  const logged = (slowMs: number): unknown[][] => {
    const lines: unknown[][] = [];
    const { observe, observeQuestion } = watchQueries(
      new Registry(),
      { warn: (...line: unknown[]) => lines.push(line) },
      slowMs,
    );
    observe(observed, context);
    observeQuestion("count", 38, context);
    return lines;
  };

  test("are logged with their plan and the request's id", () => {
    expect(logged(38)).toEqual([
      [
        expect.objectContaining({ requestId: "r1", totalMs: 38, scanned: 2, explain: observed.explain() }),
        "slow query",
      ],
      [expect.objectContaining({ requestId: "r1", totalMs: 38, question: "count" }), "slow query"],
    ]);
  });

  test("are those that take longer than the setting; with 0 none is", () => {
    expect(logged(39)).toEqual([]);
    expect(logged(0)).toEqual([]);
  });
});

describe("spans", () => {
  interface Span {
    readonly traceId: string;
    readonly spanId: string;
    readonly parentSpanId?: string;
    readonly name: string;
    readonly startTimeUnixNano: string;
    readonly endTimeUnixNano: string;
    readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[];
  }

  async function collector(): Promise<{ server: Server; url: string; spans: Span[]; services: Set<unknown> }> {
    const spans: Span[] = [];
    const services = new Set<unknown>();
    const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const { resourceSpans } = (await json(request)) as {
        resourceSpans: { resource: { attributes: Span["attributes"] }; scopeSpans: { spans: Span[] }[] }[];
      };
      for (const { resource, scopeSpans } of resourceSpans) {
        for (const { key, value } of resource.attributes) if (key === "rdg.graph") services.add(value["stringValue"]);
        for (const scope of scopeSpans) spans.push(...scope.spans);
      }
      response.writeHead(request.url === "/v1/traces" ? 200 : 404, { "content-type": "application/json" }).end("{}");
    };
    const server = createServer((request, response) => void take(request, response)).listen(0, "127.0.0.1");
    await once(server, "listening");
    closing.push(async () => void server.close());
    return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, services };
  }

  test("go to the collector, in the trace that the caller began", async () => {
    const { url, spans, services } = await collector();
    const rdg = await start({ "otel.endpoint": url });
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const positions = await send(rdg, "ann", 3);
    const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
    await post(rdg, "/v1/traverse", traversal(positions), { traceparent, "x-request-id": "asked" });
    await post(rdg, "/v1/traverse", traversal([]), { traceparent: `00-${"a".repeat(32)}-00f067aa0ba902b7-00` });
    await post(rdg, "/v1/traverse", traversal([]), { traceparent: "nonsense" });
    await rdg.close();
    expect([...services]).toEqual(["operations"]);
    const mine = spans.filter((span) => span.traceId === traceId);
    const request = mine.find(({ name }) => name === "POST /v1/traverse")!;
    expect(request.parentSpanId).toBe("00f067aa0ba902b7");
    const attributes = Object.fromEntries(request.attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
    expect(attributes).toMatchObject({
      "http.request.method": "POST",
      "http.route": "/v1/traverse",
      "http.response.status_code": 200,
      "rdg.request_id": "asked",
    });
    const stages = mine.filter((span) => span !== request);
    expect(stages.map(({ name }) => name).sort()).toEqual(["assembly", "validation", "wait", "walk"]);
    for (const stage of stages) {
      expect(stage.parentSpanId).toBe(request.spanId);
      expect(BigInt(stage.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(stage.startTimeUnixNano));
    }
    // The caller decided that the second is not traced; the third began no trace.
    expect(spans.some((span) => span.traceId === "a".repeat(32))).toBe(false);
    expect(spans.filter(({ name }) => name === "POST /v1/traverse")).toHaveLength(2);
    expect(spans.filter(({ name }) => name === "POST /v1/events/:name")).toHaveLength(1);
  });

  test("need an address that is one", async () => {
    await expect(start({ "otel.endpoint": "somewhere" })).rejects.toMatchObject({ code: "bad_setting" });
  });

  test("that no collector takes hurt nobody", async () => {
    const { server, url } = await collector();
    server.close();
    await once(server, "close");
    const rdg = await start({ "otel.endpoint": url });
    expect((await post(rdg, "/v1/traverse", traversal([]))).status).toBe(200);
  });
});
