// The gRPC server: deadlines and callers that leave, readers that do not read, batches of records, bounds, measures.
import { once } from "node:events";
import { connect } from "node:http2";
import { setTimeout as wait } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { type Loopback, RpcClient } from "../../../test/grpc/loopback.ts";
import {
  open,
  serve,
  start,
  end,
  nodes,
  traversing,
  failing,
  until,
  producePath,
  batch,
} from "../../../test/grpc/small-server.ts";
import { RdgError } from "../../core/errors.ts";
import type { Gateway, ProduceRequest as GatewayRequest } from "../../gateway/port.ts";
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../model/rpc/generated/grpc/health/v1/health.ts";
import { ProduceRequest, ProduceResponse } from "../../model/rpc/generated/rdg/v1/ingest_service.ts";
import { GetNodesRequest, GetNodesResponse } from "../../model/rpc/generated/rdg/v1/question.ts";
import type { TraverseResponse } from "../../model/rpc/generated/rdg/v1/traverse.ts";
import type { Queries } from "../../query/port.ts";

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
