// RDG's gRPC as Google's own Python library sees it: reflection, health, every service, errors with details, a deadline; and its answers are those of HTTP.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import type { TraverseAnswer } from "../../src/model/traversal.ts";
import { run } from "./run.ts";
import { type StreamingServer, startStreaming } from "./streaming-server.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = fileURLToPath(new URL("grpc_client.py", import.meta.url));

interface Told {
  readonly services: readonly string[];
  readonly health: boolean;
  readonly traversal: readonly {
    readonly chunks: readonly Chunk[];
    readonly summary?: { readonly asOf: readonly string[] };
  }[];
  readonly nodes: { readonly nodes: readonly object[] };
  readonly counts: { readonly counts: readonly object[] };
  readonly path: { readonly found: boolean; readonly length: number };
  readonly produced: { readonly accepted: number; readonly positions: readonly string[] };
  readonly unknownType: object;
  readonly badRecords: object;
  readonly deadline: string;
  readonly cancelled: string;
}

interface Chunk {
  readonly level?: number;
  readonly nodes?: readonly { readonly type: string; readonly id: string }[];
  readonly edges?: readonly ForeignEdge[];
}

interface ForeignEdge {
  readonly fromId: string;
  readonly toId: string;
  readonly lastSeen: string;
  readonly properties?: Readonly<Record<string, { readonly int64Value?: string }>>;
}

let server: StreamingServer | undefined;
let address: string;
let told: Told;
let byHttp: TraverseAnswer;

beforeAll(async () => {
  server = await startStreaming(0);
  const { url } = server;
  const status = (await (await fetch(`${url}/v1/status`)).json()) as { readonly grpc: string };
  const account = "\u{1f600} account";
  const waitFor = await play(url, account);
  const hops = [{ edge: "has_profile" }, { edge: "watched", limit: 20 }];
  const answer = await fetch(`${url}/v1/traverse`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ from: { type: "account", ids: [account] }, hops, waitFor }),
  });
  byHttp = (await answer.json()) as TraverseAnswer;
  const start = { type: "account", ids: [account] };
  const title = byHttp.levels[2]!.nodes[0]!.id;
  const record = {
    accountId: "foreign",
    profileId: "foreign-p",
    deviceId: "foreign-d",
    titleId: title,
    action: "start",
    positionMs: "1",
    at: new Date().toISOString(),
  };
  const records = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64");
  const batch = { event: "playback", format: "RECORD_FORMAT_JSON" };
  const edges = [{ edges: [{ type: "has_profile" }] }, { edges: [{ type: "watched" }], rule: { limit: 20 } }];
  const requests = {
    calls: {
      traversal: ["graph", "Traverse", { start, hops: edges }],
      nodes: ["graph", "GetNodes", { type: "account", ids: [account, "nobody"] }],
      counts: ["graph", "Count", { start, edges: [{ type: "uses" }] }],
      path: ["graph", "ShortestPath", { start: { type: "account", id: account }, end: { type: "title", id: title } }],
      produced: ["ingest", "Produce", { ...batch, records: records(record) }],
    },
    refusals: {
      unknownType: ["graph", "Traverse", { start, hops: [{ edges: [{ type: "has_profil" }] }] }],
      badRecords: ["ingest", "Produce", { ...batch, records: records({ ...record, positionMs: "x" }) }],
    },
    // Positions that never come.
    slow: { start, waitFor: ["events.playback/0@900000000"] },
  };
  const options = { timeoutMs: 60_000, stdin: JSON.stringify(requests) };
  address = status.grpc;
  const { code, stdout, output } = await run(inject("python"), [program, address], options);
  expect(code, output).toBe(0);
  told = JSON.parse(stdout) as Told;
}, 120_000);

afterAll(() => server?.stop());

/** Thirty plays of one account; resolves when they are in the graph. */
async function play(url: string, account: string): Promise<readonly string[]> {
  const lines = Array.from({ length: 30 }, (_, i) => ({
    accountId: account,
    profileId: "other-p",
    deviceId: "d1",
    titleId: `title-${i}`,
    action: "start",
    positionMs: String(2n ** 60n + BigInt(i)),
    country: "DE",
    at: new Date(Date.now() - i * 1_000).toISOString(),
  }));
  const answer = await fetch(`${url}/v1/events/playback`, {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body: lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
  });
  return ((await answer.json()) as { readonly positions: readonly string[] }).positions;
}

test("it is found by reflection, and healthy", () => {
  expect(told.services).toEqual([
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "rdg.v1.GraphService",
    "rdg.v1.IngestService",
  ]);
  expect(told.health).toBe(true);
});

test("a traversal is the one over HTTP", () => {
  const chunks = told.traversal.flatMap((message) => message.chunks);
  for (const [number, level] of byHttp.levels.entries()) {
    const here = chunks.filter((chunk) => (chunk.level ?? 0) === number);
    expect(here.flatMap((chunk) => chunk.nodes ?? []).map(({ type, id }) => ({ type, id }))).toEqual(
      level.nodes.map(({ type, id }) => ({ type, id })),
    );
    expect(here.flatMap((chunk) => chunk.edges ?? []).map(edgeOf)).toEqual(
      (level.edges ?? []).map(({ from, to, lastSeen, properties }) => ({
        from,
        to,
        lastSeenMs: Date.parse(lastSeen),
        properties,
      })),
    );
  }
  expect(byHttp.levels[2]!.edges!.length).toBe(20);
  expect(told.traversal.at(-1)!.summary!.asOf.length).toBeGreaterThan(0);
});

function edgeOf({ fromId, toId, lastSeen, properties = {} }: ForeignEdge): object {
  const values = Object.entries(properties).map(([name, value]) => [name, value.int64Value] as const);
  return { from: fromId, to: toId, lastSeenMs: Date.parse(lastSeen), properties: Object.fromEntries(values) };
}

test("the other questions and events are answered", () => {
  expect(told.nodes.nodes).toHaveLength(1);
  expect(told.counts.counts).toMatchObject([{ edge: "uses", direction: "DIRECTION_OUT" }]);
  expect(told.path).toMatchObject({ found: true, length: 2 });
  expect(told.produced).toMatchObject({ accepted: 1 });
  expect(told.produced.positions[0]).toMatch(/^events\.playback\/\d+@\d+$/);
});

test("errors have a code, a reason and the fields that are meant", () => {
  const invalid = { code: "INVALID_ARGUMENT", domain: "rdg" };
  expect(told.unknownType).toEqual({ ...invalid, reason: "UNKNOWN_EDGE_TYPE", fields: ["hops[0].edges"] });
  expect(told.badRecords).toEqual({ ...invalid, reason: "BAD_RECORDS", fields: ["records[0].positionMs"] });
});

test("a deadline and a caller that leaves end the call", () => {
  expect(told.deadline).toBe("DEADLINE_EXCEEDED");
  expect(told.cancelled).toBe("CANCELLED");
});

test("the example of the documentation does what it says, with code that Google's compiler makes of our protos", async () => {
  const python = inject("python");
  const text = await readFile(join(root, "docs/grpc.md"), "utf8");
  const example = /```python\n([^]*?)```/.exec(text)![1]!.replace("localhost:7401", address);
  const folder = await mkdtemp(join(tmpdir(), "rdg-grpc-example-"));
  try {
    const names = ["element", "rule", "traverse", "question", "graph_service", "ingest_service"];
    const protos = names.map((name) => `proto/rdg/v1/${name}.proto`);
    const made = ["-m", "grpc_tools.protoc", "-I", "proto", `--python_out=${folder}`, `--grpc_python_out=${folder}`];
    const compiled = await run(python, [...made, ...protos], { timeoutMs: 30_000, cwd: root });
    expect(compiled.code, compiled.output).toBe(0);
    const { code, output } = await run(python, ["-c", example], { timeoutMs: 30_000, cwd: folder });
    expect(code, output).toBe(0);
    expect(output).toBe("1 a1 p1 0\n2 p1 t1 1200\n");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
