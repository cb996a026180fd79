// What gRPC calls are called in logs and traces: the caller's request id or one of ours, and the span that goes on with the caller's trace.
import { once } from "node:events";
import { type IncomingHttpHeaders, connect } from "node:http2";
import { status } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { openLoopback } from "../../../test/grpc/loopback.ts";
import { RdgError } from "../../core/errors.ts";
import type { GraphModel } from "../../model/definition.ts";
import { GetNodesRequest } from "../../model/rpc/generated/rdg/v1/question.ts";
import { TraverseRequest } from "../../model/rpc/generated/rdg/v1/traverse.ts";
import type { RequestSpan, Tracer } from "../../observe/port.ts";
import type { Queries, QueryContext, TraversalPart } from "../../query/port.ts";
import type { GrpcServerOptions } from "./server.ts";

const model: GraphModel = {
  format: 1,
  name: "test",
  events: [],
  sideInputs: [],
  nodes: [{ name: "n", properties: [] }],
  edges: [],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};
const end: TraversalPart = {
  kind: "end",
  hops: [],
  complete: true,
  asOf: [],
  timings: { waitMs: 0, hopsMs: [], nodesMs: 0, encodeMs: 0 },
};

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

interface Served {
  readonly port: number;
  readonly contexts: QueryContext[];
  readonly errors: unknown[];
}

async function serve(failure?: Error, grpc: Partial<GrpcServerOptions> = {}): Promise<Served> {
  const contexts: QueryContext[] = [];
  const errors: unknown[] = [];
  const queries = {
    async *traverseParts(_: unknown, context: QueryContext) {
      contexts.push(context);
      if (failure) throw failure;
      yield end;
    },
    nodes: async (_: unknown, context: QueryContext) => {
      contexts.push(context);
      return { nodes: [], asOf: [] };
    },
  } as unknown as Queries;
  const onError: GrpcServerOptions["onError"] = (_, request) => errors.push(request);
  const loopback = await openLoopback({ model, queries, grpc: { onError, ...grpc } });
  closers.push(() => loopback.close());
  return { port: loopback.port, contexts, errors };
}

const traverse = ["/rdg.v1.GraphService/Traverse", traverseMessage()] as const;
const getNodes = [
  "/rdg.v1.GraphService/GetNodes",
  GetNodesRequest.encode(GetNodesRequest.fromPartial({ type: "n", ids: ["a"] })).finish(),
] as const;
const list = ["/grpc.health.v1.Health/List", new Uint8Array()] as const;

function traverseMessage(): Uint8Array {
  const question = { $case: "start" as const, value: { type: "n", ids: ["a"], select: undefined } };
  return TraverseRequest.encode(TraverseRequest.fromPartial({ question })).finish();
}

/** What came back beside messages: headers, and trailers, which are the headers where no message came. */
async function call(
  port: number,
  [path, message]: readonly [string, Uint8Array],
  metadata: Readonly<Record<string, string>>,
): Promise<{ readonly headers: IncomingHttpHeaders; readonly trailers: IncomingHttpHeaders }> {
  const session = connect(`http://127.0.0.1:${port}`);
  closers.push(() => session.destroy());
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...metadata,
  });
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  stream.end(frame);
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  stream.on("response", (come) => (headers = trailers = come)).on("trailers", (come) => (trailers = come));
  stream.resume();
  await once(stream, "close");
  return { headers, trailers };
}

describe("the request id", () => {
  test.each([["of a stream", traverse] as const, ["of a question", getNodes] as const])(
    "%s is the caller's, in the query and with the answer",
    async (_, method) => {
      const { port, contexts } = await serve();
      const { headers, trailers } = await call(port, method, { "x-request-id": "mine-1" });
      expect(headers["x-request-id"]).toBe("mine-1");
      expect(trailers["grpc-status"]).toBe("0");
      expect(contexts).toMatchObject([{ requestId: "mine-1" }]);
    },
  );

  test("is one of ours where the caller's is none, another for each call", async () => {
    const { port, contexts } = await serve();
    const told = [
      await call(port, traverse, {}),
      await call(port, traverse, { "x-request-id": "not usable" }),
      await call(port, traverse, { "x-request-id": "x".repeat(129) }),
    ].map(({ headers }) => headers["x-request-id"]);
    expect(new Set(told).size).toBe(3);
    expect(told).toEqual(contexts.map(({ requestId }) => requestId));
    for (const id of told) expect(id).toMatch(/^[\w-]{4,40}$/);
  });

  test("comes with failures, and with the operator's word of them", async () => {
    const { port, errors } = await serve(new TypeError("a bug"));
    const { trailers } = await call(port, traverse, { "x-request-id": "mine-2" });
    expect(trailers).toMatchObject({ "grpc-status": String(status.INTERNAL), "x-request-id": "mine-2" });
    expect(errors).toEqual([{ method: "gRPC", url: traverse[0], id: "mine-2" }]);
  });

  test("comes with refusals at the entrance, and from services of the library", async () => {
    const access: GrpcServerOptions["access"] = {
      required: true,
      enter: () => Promise.reject(new RdgError("unauthorized", "bad_credentials", "No.")),
      charge: () => undefined,
      ended: () => undefined,
    };
    const { port } = await serve(undefined, { access });
    const { trailers } = await call(port, traverse, { "x-request-id": "mine-3" });
    const code = String(status.UNAUTHENTICATED);
    expect(trailers).toMatchObject({ "grpc-status": code, "x-request-id": "mine-3" });
    const { headers } = await call((await serve()).port, list, { "x-request-id": "mine-4" });
    expect(headers["x-request-id"]).toBe("mine-4");
  });
});

test("a call is a span of the caller's trace, told how the call ended, and known to the query", async () => {
  const begun: unknown[] = [];
  const ended: unknown[] = [];
  const span: RequestSpan = {
    traceId: "f".repeat(32),
    stage: () => undefined,
    end: (attributes, failed) => ended.push({ ...attributes, failed }),
  };
  const tracer: Tracer = {
    request(name, parent) {
      begun.push({ name, ...parent });
      return span;
    },
    close: async () => undefined,
  };
  const traceparent = `00-${"f".repeat(32)}-00f067aa0ba902b7-01`;
  const good = await serve(undefined, { tracer });
  await call(good.port, traverse, { traceparent, tracestate: "a=b", "x-request-id": "r1" });
  await call(good.port, getNodes, { "x-request-id": "r2" });
  const bad = await serve(new TypeError("a bug"), { tracer });
  await call(bad.port, traverse, { "x-request-id": "r3" });
  expect(begun).toEqual([
    { name: "rdg.v1.GraphService/Traverse", traceparent, tracestate: "a=b" },
    { name: "rdg.v1.GraphService/GetNodes" },
    { name: "rdg.v1.GraphService/Traverse" },
  ]);
  expect(good.contexts.map((context) => context.span)).toEqual([span, span]);
  const attributes = (method: string, code: number, id: string) => ({
    "rpc.system": "grpc",
    "rpc.service": "rdg.v1.GraphService",
    "rpc.method": method,
    "rpc.grpc.status_code": code,
    "rdg.request_id": id,
  });
  await expect
    .poll(() => ended)
    .toEqual([
      { ...attributes("Traverse", status.OK, "r1"), failed: false },
      { ...attributes("GetNodes", status.OK, "r2"), failed: false },
      { ...attributes("Traverse", status.INTERNAL, "r3"), failed: true },
    ]);
});
