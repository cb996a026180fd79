// Readers that take nothing of one call's answer while they take others': that call ends, and nothing else of the connection, as long as it lives.
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { type Socket, connect as connectTcp, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { type Loopback, type LoopbackOptions, openLoopback } from "../../../test/grpc/loopback.ts";
import type { GraphModel } from "../../model/definition.ts";
import { TraverseRequest } from "../../model/rpc/generated/rdg/v1/traverse.ts";
import type { Queries, TraversalPart } from "../../query/port.ts";

const model: GraphModel = {
  format: 1,
  name: "test",
  events: [],
  sideInputs: [],
  nodes: [{ name: "n", properties: [{ name: "text", type: { kind: "string" }, merge: "last" }] }],
  edges: [],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await wait(2);
}

const text = "x".repeat(1_000);
function manyNodes(level: number): TraversalPart {
  const ids = Array.from({ length: 1_000 }, (_, i) => `n${i}`);
  const times = new Float64Array(ids.length);
  const visible = new Uint8Array(ids.length).fill(1);
  const rows = { visible, firstSeenMs: times, lastSeenMs: times, properties: [ids.map(() => text)] };
  return { kind: "nodes", level, type: 0, from: 0, to: ids.length, ids, rows, select: [0] };
}

/** Who starts at "much" gets answers without end, others a megabyte. */
class Endless {
  running = 0;
  readonly queries = {
    traverseParts: (request: { readonly from: { readonly ids: readonly string[] } }) =>
      this.#parts(request.from.ids[0] === "much" ? Infinity : 1),
  } as unknown as Queries;

  async *#parts(levels: number): AsyncGenerator<TraversalPart> {
    this.running++;
    try {
      for (let level = 0; level < levels; level++) yield manyNodes(level);
      const timings = { waitMs: 0, hopsMs: [], nodesMs: 0, encodeMs: 0 };
      yield { kind: "end", hops: [], complete: true, asOf: [], timings };
    } finally {
      this.running--;
    }
  }
}

async function serve(queries: Queries, settings: NonNullable<LoopbackOptions["grpc"]>["settings"]): Promise<Loopback> {
  const loopback = await openLoopback({ model, queries, grpc: { settings: settings! } });
  closers.push(() => loopback.close());
  return loopback;
}

/** A connection that takes much for all of its calls together, but 64 KiB for each that is not read. */
async function open(port: number): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  closers.push(() => session.destroy());
  await once(session, "connect");
  session.setLocalWindowSize(16 * 1024 * 1024);
  return session;
}

function traverse(session: ClientHttp2Session, id: string): ClientHttp2Stream {
  const question = { $case: "start" as const, value: { type: "n", ids: [id], select: undefined } };
  const message = TraverseRequest.encode({ ...TraverseRequest.create({}), question }).finish();
  const stream = session.request({
    ":method": "POST",
    ":path": "/rdg.v1.GraphService/Traverse",
    "content-type": "application/grpc",
    te: "trailers",
  });
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  stream.on("error", () => undefined);
  stream.end(Buffer.concat([frame, message]));
  return stream;
}

/** Reads all of it. */
async function read(stream: ClientHttp2Stream): Promise<{ bytes: number; status: unknown }> {
  let bytes = 0;
  let status: unknown;
  stream.on("data", (chunk: Buffer) => (bytes += chunk.length));
  // A refusal is the first and the last at once.
  for (const told of ["response", "trailers"]) {
    stream.on(told, (headers: Readonly<Record<string, unknown>>) => (status ??= headers["grpc-status"]));
  }
  await once(stream, "end");
  return { bytes, status };
}

test("the call that nobody reads is reset, gives back all that it held, and its connection goes on", async () => {
  const endless = new Endless();
  const { grpc, http, port } = await serve(endless.queries, { stallTimeoutMs: 200, slowMs: 60_000 });
  const session = await open(port);
  const stalled = traverse(session, "much");
  const closed = once(stalled, "close");
  await until(() => grpc.bounds.slowReaders.running === 1);
  const beside = await read(traverse(session, "little"));
  expect(beside.status).toBe("0");
  expect(beside.bytes).toBeGreaterThan(1_000_000);
  await closed;
  // CANCEL
  expect(stalled.rstCode).toBe(8);
  await until(() => endless.running === 0 && http.bounds.answers.bytes === 0 && grpc.bounds.slowReaders.running === 0);
  expect(session.destroyed).toBe(false);
  expect(await read(traverse(session, "little"))).toEqual(beside);
  expect(grpc.bounds.connections()).toBe(1);
});

test("when answers need room, the slowest call makes it, and no other of its connection", async () => {
  const endless = new Endless();
  const loopback = await openLoopback({
    model,
    queries: endless.queries,
    http: { settings: { answerBytesMax: 1_500_000, slowMs: 50 } },
    grpc: { settings: { stallTimeoutMs: 60_000 } },
  });
  closers.push(() => loopback.close());
  const session = await open(loopback.port);
  const stalled = [traverse(session, "much"), traverse(session, "much"), traverse(session, "much")];
  await until(() => loopback.grpc.bounds.slowReaders.running >= 1);
  // Others are refused until there is room; none of them is cut off.
  while (!stalled[0]!.destroyed) {
    const { status } = await read(traverse(session, "little"));
    expect(["0", "8"]).toContain(status);
    await wait(5);
  }
  expect(session.destroyed).toBe(false);
  expect((await read(traverse(session, "little"))).status).toBe("0");
});

test("a connection that gives no sign of life is cut with all of its calls", async () => {
  const endless = new Endless();
  const { grpc, http, port } = await serve(endless.queries, { stallTimeoutMs: 100, slowMs: 100 });
  // Between the two, so that the client's end can fall silent.
  const sockets: Socket[] = [];
  const relay = createServer((near) => {
    const far = connectTcp(port, "127.0.0.1");
    sockets.push(near, far);
    for (const socket of [near, far]) socket.on("error", () => undefined);
    near.pipe(far).pipe(near);
  }).listen(0, "127.0.0.1");
  await once(relay, "listening");
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    relay.close();
  });
  const session = await open((relay.address() as AddressInfo).port);
  traverse(session, "much");
  traverse(session, "much");
  await until(() => grpc.bounds.slowReaders.running === 2);
  const [near, far] = sockets;
  near!.unpipe().pause();
  far!.unpipe().pause();
  await until(() => grpc.bounds.connections() === 0);
  await until(() => endless.running === 0 && http.bounds.answers.bytes === 0);
});
