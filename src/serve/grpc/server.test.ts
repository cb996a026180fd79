// The gRPC server: what it refuses and how it tells, deadlines and callers that leave, readers that do not read, health, reflection, and its end.
import { once } from "node:events";
import { connect } from "node:http2";
import { setTimeout as wait } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { Registry } from "prom-client";
import { afterEach, describe, expect, test } from "vitest";
import { type Loopback, type LoopbackOptions, RpcClient, openLoopback } from "../../../test/grpc/loopback.ts";
import { RdgError } from "../../core/errors.ts";
import { BadRecords, type Gateway, type ProduceRequest as GatewayRequest } from "../../gateway/port.ts";
import type { GraphModel } from "../../model/definition.ts";
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthListRequest,
  HealthListResponse,
} from "../../model/rpc/generated/grpc/health/v1/health.ts";
import { ProduceRequest, ProduceResponse, RecordFormat } from "../../model/rpc/generated/rdg/v1/ingest_service.ts";
import { GetNodesRequest, GetNodesResponse } from "../../model/rpc/generated/rdg/v1/question.ts";
import type { TraverseResponse } from "../../model/rpc/generated/rdg/v1/traverse.ts";
import type { NodesPart, Queries, QueryContext, TraversalPart } from "../../query/port.ts";
import type { Access, Principal } from "../auth/port.ts";

const timed = { fields: [], key: "id", time: "at", dedupHorizonMs: 0, partitions: 1, retention: {} };
const model: GraphModel = {
  format: 1,
  name: "test",
  events: [{ ...timed, name: "playback" }],
  sideInputs: [{ name: "catalogue", fields: [], key: "id" }],
  nodes: [{ name: "n", properties: [{ name: "text", type: { kind: "string" }, merge: "last" }] }],
  edges: [],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};

const open: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.close();
});

async function serve(options: Partial<LoopbackOptions>): Promise<Loopback> {
  const loopback = await openLoopback({ model, ...options });
  open.push(loopback);
  return loopback;
}

const start = { question: { $case: "start" as const, value: { type: "n", ids: ["a"], select: undefined } } };
const end: TraversalPart = {
  kind: "end",
  hops: [],
  complete: true,
  asOf: [],
  timings: { waitMs: 0, hopsMs: [], nodesMs: 0, encodeMs: 0 },
};

function nodes(count: number, text: string, level = 0): NodesPart {
  const ids = Array.from({ length: count }, (_, i) => `n${i}`);
  const times = new Float64Array(count);
  const rows = {
    visible: new Uint8Array(count).fill(1),
    firstSeenMs: times,
    lastSeenMs: times,
    properties: [ids.map(() => text)],
  };
  return { kind: "nodes", level, type: 0, from: 0, to: count, ids, rows, select: [0] };
}

/** Answers traversals with these parts. */
function traversing(parts: (context: QueryContext, request: unknown) => AsyncIterable<TraversalPart>): Queries {
  return { traverseParts: (request: unknown, context: QueryContext) => parts(context, request) } as unknown as Queries;
}

const failing = (error: unknown): Queries =>
  // eslint-disable-next-line require-yield
  traversing(async function* () {
    throw error;
  });

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await wait(2);
}

describe("errors", () => {
  test.each([
    [
      new RdgError("invalid", "bad_value", "No.", { place: "/hops/1/where/edge/and/0/plays/gte" }),
      status.INVALID_ARGUMENT,
    ],
    [new RdgError("not_found", "unknown_type", "No."), status.NOT_FOUND],
    [new RdgError("unauthorized", "type_not_readable", "No."), status.PERMISSION_DENIED],
    [new RdgError("unauthorized", "bad_credentials", "No."), status.UNAUTHENTICATED],
    [new RdgError("overloaded", "too_many_requests", "No.", { retryAfterMs: 1_250 }), status.RESOURCE_EXHAUSTED],
    [new RdgError("unavailable", "down", "No."), status.UNAVAILABLE],
    [new RdgError("unavailable", "not_applied_yet", "No."), status.DEADLINE_EXCEEDED],
    [new RdgError("corrupt", "damaged", "No."), status.DATA_LOSS],
    [new RdgError("conflict", "fenced", "No."), status.FAILED_PRECONDITION],
    [new RdgError("closed", "closed", "No."), status.UNAVAILABLE],
  ])("%s is a status with details", async (error, code) => {
    const { client } = await serve({ queries: failing(error) });
    await expect(client.traverse(start)).rejects.toMatchObject({
      code,
      message: "No.",
      reason: error.code.toUpperCase(),
      info: { domain: "rdg" },
    });
  });

  test("tell the field, what to do and when", async () => {
    const place = "/hops/1/where/edge/and/0/plays/in/3";
    const invalid = new RdgError("invalid", "bad_value", "Not so.", { place, hint: "But so." });
    await expect((await serve({ queries: failing(invalid) })).client.traverse(start)).rejects.toMatchObject({
      message: "Not so. But so.",
      fields: [{ field: "hops[1].where.edge.all_of.conditions[0].test.one_of.values[3]", reason: "BAD_VALUE" }],
    });
    const overloaded = new RdgError("overloaded", "too_many_requests", "Later.", { retryAfterMs: 1_250 });
    const { client } = await serve({ queries: failing(overloaded) });
    await expect(client.traverse(start)).rejects.toMatchObject({ retryAfterMs: 1_250, fields: [] });
  });

  test("that are bugs are told to the operator, and nothing of them to the caller", async () => {
    const seen: unknown[] = [];
    const bug = new TypeError("secret");
    const { client } = await serve({ queries: failing(bug), grpc: { onError: (error) => seen.push(error) } });
    const refusal = (await client.traverse(start).catch((error: unknown) => error)) as Error;
    expect(refusal).toMatchObject({ code: status.INTERNAL, reason: "INTERNAL" });
    expect(refusal.message).not.toContain("secret");
    expect(seen).toEqual([bug]);
  });

  test("of any length stay within what clients take", async () => {
    const problems = Array.from({ length: 100 }, (_, index) => ({
      index,
      field: `${"\u{1f600}".repeat(400)}\ud800`,
      code: "bad",
      reason: "ü".repeat(5_000),
    }));
    const gateway = { produce: () => Promise.reject(new BadRecords(problems, 100, 100)) } as unknown as Gateway;
    const { client } = await serve({ gateway });
    const error = await client
      .unary(producePath, ProduceRequest, ProduceResponse, batch("[]"))
      .catch((each: unknown) => each);
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, reason: "BAD_RECORDS" });
    expect((error as { fields: unknown[] }).fields.length).toBeGreaterThan(0);
  });

  test("come for messages that are none", async () => {
    const { port } = await serve({ queries: failing(new Error("not reached")) });
    const session = connect(`http://127.0.0.1:${port}`);
    open.push({ close: () => session.destroy() });
    const ask = async (message: Buffer): Promise<unknown> => {
      const headers = {
        ":method": "POST",
        ":path": "/rdg.v1.GraphService/Traverse",
        "content-type": "application/grpc",
      };
      const stream = session.request({ ...headers, te: "trailers" });
      const frame = Buffer.alloc(5);
      frame.writeUInt32BE(message.length, 1);
      stream.end(Buffer.concat([frame, message]));
      stream.resume();
      const [answer] = (await once(stream, "response")) as [Record<string, string>];
      return Number(answer["grpc-status"]);
    };
    // A field that ends too early, text that is no UTF-8, and a message nested in itself two hundred times.
    expect(await ask(Buffer.from([0x0a, 0x7f, 1]))).toBe(status.INVALID_ARGUMENT);
    expect(await ask(Buffer.from([0x12, 2, 0xff, 0xfe]))).toBe(status.INVALID_ARGUMENT);
    let nested = Buffer.alloc(0);
    for (let i = 0; i < 120; i++) nested = Buffer.concat([Buffer.from([0x22, ...lengthOf(nested)]), nested]);
    const where = Buffer.concat([Buffer.from([0x0a, ...lengthOf(nested)]), nested]);
    const hop = Buffer.concat([Buffer.from([0x22, ...lengthOf(where)]), where]);
    expect(await ask(Buffer.concat([Buffer.from([0x1a, ...lengthOf(hop)]), hop]))).toBe(status.INVALID_ARGUMENT);
  });
});

function lengthOf({ length }: Buffer): number[] {
  return length < 128 ? [length] : [(length & 127) | 128, length >>> 7];
}

const producePath = "/rdg.v1.IngestService/Produce";

function batch(text: string, more: Partial<ProduceRequest> = {}): ProduceRequest {
  return {
    target: { $case: "event", value: "playback" },
    format: RecordFormat.RECORD_FORMAT_NDJSON,
    records: Buffer.from(text),
    partial: false,
    idempotencyKey: undefined,
    ...more,
  };
}

describe("batches of records", () => {
  const taken: GatewayRequest[] = [];
  const answer = { accepted: 2, positions: ["events.playback/0@1"], duplicate: true, rejected: [], rejectedCount: 0 };
  const gateway = {
    produce: async (request: GatewayRequest) => {
      taken.push(request);
      return { ...answer, rejected: [{ index: 3, code: "bad", reason: "So." }], rejectedCount: 1 };
    },
  } as unknown as Gateway;
  const produce = async (message: ProduceRequest, loopback?: Loopback): Promise<ProduceResponse> => {
    const { client } = loopback ?? (await serve({ gateway }));
    return client.unary(producePath, ProduceRequest, ProduceResponse, message);
  };

  test("go to the gateway as the bytes they came as", async () => {
    taken.length = 0;
    const more = { partial: true, idempotencyKey: "schlüssel" };
    expect(await produce(batch('{"a":1}\n', more))).toEqual({
      ...answer,
      rejectedCount: 1,
      rejected: [{ index: 3, field: "", code: "bad", reason: "So." }],
    });
    const { body, ...rest } = taken[0]!;
    expect(Buffer.from(body).toString()).toBe('{"a":1}\n');
    // The gateway may hand the buffer to another thread, with all that is in it.
    expect(body.buffer.byteLength).toBe(body.length);
    expect(rest).toEqual({ target: { kind: "event", name: "playback" }, format: "ndjson", ...more });
  });

  test.each<[string, Partial<ProduceRequest>, number, string]>([
    ["without a target", { target: undefined }, status.INVALID_ARGUMENT, "BAD_REQUEST"],
    ["without a format", { format: 0 }, status.INVALID_ARGUMENT, "UNSUPPORTED_MEDIA_TYPE"],
    ["for an unknown event", { target: { $case: "event", value: "playbak" } }, status.NOT_FOUND, "UNKNOWN_EVENT"],
    ["for an unknown input", { target: { $case: "input", value: "x" } }, status.NOT_FOUND, "UNKNOWN_INPUT"],
    ["with an empty key", { idempotencyKey: "" }, status.INVALID_ARGUMENT, "BAD_IDEMPOTENCY_KEY"],
    ["with a long key", { idempotencyKey: "ü".repeat(129) }, status.INVALID_ARGUMENT, "BAD_IDEMPOTENCY_KEY"],
  ])("%s are refused", async (_, more, code, reason) => {
    await expect(produce(batch("", more))).rejects.toMatchObject({ code, reason });
  });

  test("that are too large are refused", async () => {
    const loopback = await serve({ gateway, grpc: { settings: { messageBytesMax: 1_000 } } });
    await expect(produce(batch("x".repeat(2_000)), loopback)).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
    });
    await until(() => loopback.grpc.bounds.receiving.bytes === 0);
    expect(await produce(batch("x".repeat(500)), loopback)).toMatchObject({ accepted: 2 });
  });
});

describe("the deadline", () => {
  test("bounds the question, and ends the call", async () => {
    const asked: unknown[] = [];
    const aborted: boolean[] = [];
    const queries = traversing(async function* ({ signal }, request) {
      asked.push(request);
      await once(signal, "abort");
      aborted.push(true);
      yield end;
    });
    const { client } = await serve({ queries });
    const call = client.traverse({ ...start, timeoutMs: 9_000 }, { deadline: Date.now() + 400 });
    await expect(call).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    await until(() => aborted.length === 1);
    expect((asked[0] as { timeoutMs: number }).timeoutMs).toBeLessThanOrEqual(400);
  });

  test("of 1 ms is told as that, whatever was done until then", async () => {
    const queries = traversing(async function* ({ signal }) {
      if (!signal.aborted) await once(signal, "abort");
      yield end;
    });
    const { client, http } = await serve({ queries });
    for (let i = 0; i < 20; i++) {
      const call = client.traverse(start, { deadline: Date.now() + 1 });
      await expect(call).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    }
    await until(() => http.bounds.queries.running === 0);
  });

  test("that is far away leaves the bound to the server", async () => {
    const asked: unknown[] = [];
    const queries = traversing(async function* (_context, request) {
      asked.push(request);
      yield end;
    });
    const { client } = await serve({ queries });
    await client.traverse(start, { deadline: Date.now() + 3_600_000 });
    await client.traverse({ ...start, timeoutMs: 5 });
    expect(asked).toEqual([{ from: { type: "n", ids: ["a"] } }, { from: { type: "n", ids: ["a"] }, timeoutMs: 5 }]);
  });
});

describe("a reader", () => {
  test("that leaves ends the work, and holds nothing afterwards", async () => {
    let ended = false;
    const queries = traversing(async function* () {
      try {
        for (let level = 0; ; level++) yield nodes(1_000, "x".repeat(1_000), level);
      } finally {
        ended = true;
      }
    });
    const { client, http, grpc } = await serve({ queries });
    const stream = client.traverseStream(start);
    await once(stream, "data");
    stream.on("error", () => undefined);
    stream.cancel();
    await until(() => ended);
    const { answers, queries: admission, otherBodies } = http.bounds;
    await until(() => answers.bytes + admission.running + otherBodies.bytes + grpc.bounds.slowReaders.running === 0);
    expect(answers.holders).toBe(0);
  });

  test("that does not read holds little, keeps nobody out, and has everything once it reads", async () => {
    const levels = 300;
    let taken = 0;
    const queries = traversing(async function* () {
      for (let level = 0; level < levels; level++) {
        yield nodes(1_000, "x".repeat(1_000), level);
        taken++;
      }
      yield end;
    });
    const http = { settings: { queriesInFlightMax: 1 } };
    const { client, http: server, grpc } = await serve({ queries, http });
    const stream = client.traverseStream(start);
    let count = 0;
    stream.on("data", ({ chunks }: TraverseResponse) => {
      for (const chunk of chunks) count += chunk.nodes.length;
    });
    await once(stream, "data");
    // From now on nothing asks for data: the client's buffers and windows fill, then the server waits.
    stream.pause();
    await until(() => grpc.bounds.slowReaders.running === 1);
    let before = -1;
    while (before !== taken) {
      before = taken;
      await wait(30);
    }
    // 300 MB were asked for.
    expect(taken).toBeLessThan(levels / 3);
    expect(server.bounds.answers.bytes).toBeLessThan(2_000_000);
    expect(server.bounds.queries.running).toBe(0);
    stream.resume();
    await once(stream, "end");
    expect(count).toBe(levels * 1_000);
    expect(server.bounds.answers.bytes).toBe(0);
  });

  test("that takes nothing for too long is cut off", async () => {
    let ended = false;
    const queries = traversing(async function* () {
      try {
        for (let level = 0; ; level++) yield nodes(1_000, "x".repeat(1_000), level);
      } finally {
        ended = true;
      }
    });
    const { client, http, grpc } = await serve({ queries, grpc: { settings: { stallTimeoutMs: 300 } } });
    const stream = client.traverseStream(start);
    stream.on("error", () => undefined);
    await once(stream, "data");
    stream.pause();
    await until(() => ended);
    await until(() => http.bounds.answers.bytes === 0 && grpc.bounds.slowReaders.running === 0);
    stream.cancel();
  });
});

describe("bounds", () => {
  test("are those of HTTP: what is under way there is refused here", async () => {
    const queries = traversing(async function* () {
      yield end;
    });
    const { client, http } = await serve({ queries, http: { settings: { queriesInFlightMax: 1, waitersMax: 1 } } });
    const leave = http.bounds.queries.enter();
    await expect(client.traverse(start)).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      retryAfterMs: 1_000,
    });
    // Those who wait for positions have a bound of their own.
    await client.traverse({ ...start, waitFor: ["events.playback/0@1"] });
    leave();
    await client.traverse(start);
  });

  test("of connections: those beyond are not taken", async () => {
    const { port } = await serve({ grpc: { settings: { connectionsMax: 1 } } });
    const clients = [1, 2].map(() => new RpcClient(`127.0.0.1:${port}`));
    open.push(...clients);
    const check = async (client: RpcClient): Promise<unknown> =>
      client
        .unary("/grpc.health.v1.Health/Check", HealthCheckRequest, HealthCheckResponse, { service: "" })
        .catch((error: unknown) => error);
    expect(await check(clients[0]!)).toEqual({ status: ServingStatus.SERVING });
    expect(await check(clients[1]!)).toMatchObject({ code: status.UNAVAILABLE });
  });

  test("of requests that are received: who sends nothing makes room", async () => {
    const loopback = await serve({ grpc: { settings: { receivingMax: 1, messageBytesMax: 1_000, slowMs: 20 } } });
    const idle = connect(`http://127.0.0.1:${loopback.port}`);
    idle.on("error", () => undefined);
    open.push({ close: () => idle.destroy() });
    const path = "/grpc.health.v1.Health/Check";
    const stream = idle.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("error", () => undefined);
    await until(() => loopback.grpc.bounds.receiving.bytes === 1_000);
    const check = (): Promise<HealthCheckResponse> =>
      loopback.client.unary(path, HealthCheckRequest, HealthCheckResponse, { service: "" });
    await until(() =>
      check().then(
        () => true,
        (error: { code: status }) => error.code !== status.RESOURCE_EXHAUSTED,
      ),
    );
    await until(() => idle.destroyed);
    expect(loopback.grpc.bounds.receiving.bytes).toBe(0);
  });
});

describe("access", () => {
  const principal: Principal = {
    kind: "key",
    id: "key:1",
    name: "one",
    grants: { admin: false, observe: false, read: new Set(["n"]), produce: new Set(["other"]) },
  };
  const entered: unknown[] = [];
  const charged: number[] = [];
  const access: Access = {
    required: true,
    enter: (credentials, need, { name }) => {
      entered.push({ authorization: credentials.authorization, scope: need.scope, name });
      if (need.scope === "open") return principal;
      const [token] = credentials.authorization;
      if (token === "Bearer late") return Promise.resolve(principal);
      if (token === "Bearer good") return principal;
      throw new RdgError("unauthorized", "no_credentials", "Who are you?");
    },
    charge: (_principal, scanned) => charged.push(scanned),
    ended: () => undefined,
  };

  test("is asked before the message is read; the query learns what may be read and who pays", async () => {
    const readable: unknown[] = [];
    const queries = traversing(async function* ({ mayRead, charge }) {
      readable.push(mayRead?.("n"), mayRead?.("m"));
      charge?.(7);
      yield end;
    });
    const { port, client } = await serve({ queries, grpc: { access } });
    await expect(client.traverse(start)).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    for (const token of ["good", "late"]) {
      const asking = new RpcClient(`127.0.0.1:${port}`, {}, { authorization: `Bearer ${token}` });
      open.push(asking);
      await asking.traverse(start);
    }
    expect(readable).toEqual([true, false, true, false]);
    expect(charged).toEqual([7, 7]);
    expect(entered[0]).toEqual({ authorization: [], scope: "read", name: "/rdg.v1.GraphService/Traverse" });
  });

  test("is needed for each event, and not for health", async () => {
    const { port, client } = await serve({ gateway: {} as Gateway, grpc: { access } });
    const asking = new RpcClient(`127.0.0.1:${port}`, {}, { authorization: "Bearer good" });
    open.push(asking);
    const refused = asking.unary(producePath, ProduceRequest, ProduceResponse, batch("{}"));
    await expect(refused).rejects.toMatchObject({ code: status.PERMISSION_DENIED, reason: "SCOPE_MISSING" });
    const path = "/grpc.health.v1.Health/Check";
    const health = await client.unary(path, HealthCheckRequest, HealthCheckResponse, { service: "" });
    expect(health.status).toBe(ServingStatus.SERVING);
  });

  test("is a must beyond loopback, encryption too", async () => {
    const host = { settings: { host: "0.0.0.0" } };
    await expect(serve({ grpc: host })).rejects.toMatchObject({ code: "not_loopback" });
    await expect(serve({ grpc: { ...host, access } })).rejects.toMatchObject({ code: "not_loopback" });
  });
});

describe("health", () => {
  test("follows readiness, for the server and each service", async () => {
    let ready = false;
    const queries = failing(new Error("not asked"));
    const { client } = await serve({
      queries,
      grpc: { readiness: () => ({ ready }), settings: { healthIntervalMs: 5 } },
    });
    const check = (service: string): Promise<HealthCheckResponse> =>
      client.unary("/grpc.health.v1.Health/Check", HealthCheckRequest, HealthCheckResponse, { service });
    expect(await check("")).toEqual({ status: ServingStatus.NOT_SERVING });
    const request = { service: "rdg.v1.GraphService" };
    const watched = client.stream("/grpc.health.v1.Health/Watch", HealthCheckRequest, HealthCheckResponse, request);
    const next = async (): Promise<ServingStatus> => ((await once(watched, "data")) as [HealthCheckResponse])[0].status;
    expect(await next()).toBe(ServingStatus.NOT_SERVING);
    ready = true;
    expect(await next()).toBe(ServingStatus.SERVING);
    expect(await check("rdg.v1.GraphService")).toEqual({ status: ServingStatus.SERVING });
    await expect(check("rdg.v1.IngestService")).rejects.toMatchObject({ code: status.NOT_FOUND });
    const { statuses } = await client.unary("/grpc.health.v1.Health/List", HealthListRequest, HealthListResponse, {});
    expect([...statuses.keys()]).toEqual(["", "rdg.v1.GraphService"]);
    watched.on("error", () => undefined);
    watched.cancel();
  });

  test("tells who watches that the server closes, which does not wait for them", async () => {
    const loopback = await openLoopback({
      model,
      grpc: { settings: { healthIntervalMs: 10_000, closeTimeoutMs: 60_000 } },
    });
    const request = { service: "" };
    const path = "/grpc.health.v1.Health/Watch";
    const watched = loopback.client.stream(path, HealthCheckRequest, HealthCheckResponse, request);
    await once(watched, "data");
    const last = once(watched, "data") as Promise<[HealthCheckResponse]>;
    await loopback.grpc.close();
    expect((await last)[0].status).toBe(ServingStatus.NOT_SERVING);
    await loopback.close();
  });
});

describe("the end", () => {
  test("waits for calls under way, and takes no more", async () => {
    let go = (): void => undefined;
    const asked = new Promise<void>((resolve) => {
      go = resolve;
    });
    let answer = (): void => undefined;
    const queries = traversing(async function* () {
      go();
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      yield nodes(1, "late");
      yield end;
    });
    const loopback = await openLoopback({ model, queries });
    const call = loopback.client.traverse(start);
    await asked;
    const closed = loopback.grpc.close();
    const late = new RpcClient(`127.0.0.1:${loopback.port}`);
    await expect(late.traverse(start)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    late.close();
    answer();
    expect((await call).chunks[0]!.nodes[0]!.id).toBe("n0");
    await closed;
    await loopback.close();
  });

  test("comes after a while also for calls that do not", async () => {
    const queries = traversing(async function* ({ signal }) {
      await once(signal, "abort");
      yield end;
    });
    const loopback = await openLoopback({ model, queries, grpc: { settings: { closeTimeoutMs: 30 } } });
    const call = loopback.client.traverse(start).catch((error: unknown) => error);
    await until(() => loopback.http.bounds.queries.running === 1);
    await loopback.grpc.close();
    expect(await call).toMatchObject({ code: status.UNAVAILABLE });
    await until(() => loopback.http.bounds.queries.running === 0);
    await loopback.close();
  });
});

test("calls are measured by method and code", async () => {
  const metrics = new Registry();
  const queries = {
    ...failing(new RdgError("invalid", "bad", "No.")),
    nodes: async () => ({ nodes: [{ type: "n", id: "a" }], asOf: [] }),
  } as Queries;
  const { client } = await serve({ queries, grpc: { metrics } });
  const request = GetNodesRequest.fromPartial({ type: "n", ids: ["a"] });
  await client.unary("/rdg.v1.GraphService/GetNodes", GetNodesRequest, GetNodesResponse, request);
  await client.traverse(start).catch(() => undefined);
  const text = await metrics.metrics();
  expect(text).toContain('rdg_grpc_call_duration_seconds_count{method="/rdg.v1.GraphService/GetNodes",code="OK"} 1');
  expect(text).toContain(
    'rdg_grpc_call_duration_seconds_count{method="/rdg.v1.GraphService/Traverse",code="INVALID_ARGUMENT"} 1',
  );
});
