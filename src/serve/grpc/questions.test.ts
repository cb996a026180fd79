// The questions beside traversals over gRPC are those over HTTP: values of every type, the same elements, counts and paths, and errors at the field that was sent.
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { edgeOf, nodeOf } from "../../../test/grpc/json-forms.ts";
import { type Loopback, openLoopback } from "../../../test/grpc/loopback.ts";
import type { Clock } from "../../core/clock.ts";
import type { GraphModel, PropertyModel, ValueType } from "../../model/definition.ts";
import type { MessageFns } from "../../model/rpc/generated/rdg/v1/element.ts";
import {
  CommonNeighboursRequest,
  CommonNeighboursResponse,
  CountRequest,
  CountResponse,
  GetEdgesRequest,
  GetEdgesResponse,
  GetNodesRequest,
  GetNodesResponse,
  ShortestPathRequest,
  ShortestPathResponse,
} from "../../model/rpc/generated/rdg/v1/question.ts";
import { Direction } from "../../model/rpc/generated/rdg/v1/rule.ts";
import { batchOfElements } from "../../model/update/batch-of-elements.ts";
import type { Update } from "../../model/update/element.ts";
import { graphOf } from "../../model/update/oracle.ts";
import { createQueries } from "../../query/queries.ts";
import { referenceStore } from "../../testing/reference-store.ts";

const nowMs = Date.parse("2026-11-21T12:00:00Z");
const clock: Clock = { now: () => nowMs, monotonicMs: () => 0 };
const property = (name: string, type: ValueType): PropertyModel => ({ name, type, merge: "last" });
const string = { kind: "string" } as const;
const model: GraphModel = {
  format: 1,
  name: "test",
  events: [],
  sideInputs: [],
  nodes: [
    {
      name: "person",
      properties: [
        property("text", string),
        property("small", { kind: "int32" }),
        property("large", { kind: "int64" }),
        property("ratio", { kind: "double" }),
        property("active", { kind: "boolean" }),
        property("at", { kind: "timestamp" }),
        property("photo", { kind: "bytes" }),
        property("kind", { kind: "enum", symbols: ["a", "b"] }),
        property("nothing", string),
        { name: "tags", type: string, merge: "union", unionMax: 9 },
      ],
    },
  ],
  edges: [{ name: "knows", from: "person", to: "person", properties: [property("since", { kind: "timestamp" })] }],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};

const knows = (from: string, to: string, agoMs: number): Update => ({
  kind: "edge",
  operation: "upsert",
  type: "knows",
  from,
  to,
  timeMs: nowMs - agoMs,
  properties: { since: nowMs - agoMs - 1 },
});
const updates: Update[] = [
  {
    kind: "node",
    operation: "upsert",
    type: "person",
    id: "a",
    timeMs: nowMs - 5,
    properties: {
      text: "Grüße \u{1f600}",
      small: -7,
      large: -(2n ** 63n),
      ratio: -1.5,
      active: false,
      at: -1,
      photo: new Uint8Array([0, 255]),
      kind: "b",
      nothing: null,
      tags: ["x", "y"],
    },
  },
  knows("a", "b", 10),
  knows("b", "c", 20),
  knows("c", "d", 30),
  knows("d", "b", 40),
];

let loopback: Loopback;

beforeAll(async () => {
  const store = referenceStore({ model, clock });
  const batch = batchOfElements(model, [...graphOf(model, updates).values()]);
  const frame = { source: "s", offset: 0, job: "j", timestampMs: 0, inputs: [], sizeBytes: 0, updates: () => batch };
  await store.apply(frame);
  const continuationKey = new Uint8Array(32);
  const queries = createQueries({ model, store, clock, waitFor: async () => true, continuationKey });
  loopback = await openLoopback({ model, clock, queries });
});

afterAll(() => loopback.close());

async function byHttp<T>(path: string, payload: object): Promise<T> {
  const headers = { host: "localhost", "content-type": "application/json" };
  const answer = await loopback.http.app.inject({
    method: "POST",
    url: path,
    headers,
    payload: JSON.stringify(payload),
  });
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json();
}

const path = (method: string): string => `/rdg.v1.GraphService/${method}`;
const directions = { out: Direction.DIRECTION_OUT, in: Direction.DIRECTION_IN, both: Direction.DIRECTION_BOTH };

test("nodes with values of every type", async () => {
  const ids = ["a", "b", "nobody"];
  const expected = await byHttp<{ nodes: object[] }>("/v1/nodes", { type: "person", ids });
  expect(Object.keys((expected.nodes[0] as { properties: object }).properties)).toHaveLength(10);
  const request = GetNodesRequest.fromPartial({ type: "person", ids });
  const { nodes, asOf } = await loopback.client.unary(path("GetNodes"), GetNodesRequest, GetNodesResponse, request);
  expect({ nodes: nodes.map((node) => nodeOf(node, model)), asOf }).toEqual(expected);
  const none = GetNodesRequest.fromPartial({ type: "person", ids, select: { names: [] } });
  const bare = await loopback.client.unary(path("GetNodes"), GetNodesRequest, GetNodesResponse, none);
  expect(bare.nodes[0]!.properties.size).toBe(0);
});

test("edges", async () => {
  const pairs = [
    { from: "a", to: "b" },
    { from: "b", to: "a" },
  ];
  const expected = await byHttp("/v1/edges", { type: "knows", pairs });
  const request = GetEdgesRequest.fromPartial({
    type: "knows",
    pairs: pairs.map(({ from, to }) => ({ fromId: from, toId: to })),
  });
  const { edges, asOf } = await loopback.client.unary(path("GetEdges"), GetEdgesRequest, GetEdgesResponse, request);
  expect({ edges: edges.map((edge) => edgeOf(edge, model)), asOf }).toEqual(expected);
  expect(edges).toHaveLength(1);
});

test("counts", async () => {
  const from = { type: "person", ids: ["b", "c"] };
  for (const direction of ["out", "in", "both"] as const) {
    const { counts: expected } = await byHttp<{ counts: object[] }>("/v1/count", { from, edge: "knows", direction });
    const request = CountRequest.fromPartial({
      start: from,
      edges: [{ type: "knows" }],
      direction: directions[direction],
    });
    const { counts } = await loopback.client.unary(path("Count"), CountRequest, CountResponse, request);
    expect(
      counts.map(({ id, edge, count, direction: told, atLeast }) => ({
        id,
        edge,
        direction: told === directions[direction] ? direction : told,
        count: Number(count),
        ...(atLeast ? { atLeast } : {}),
      })),
    ).toEqual(expected);
  }
});

test("shortest paths", async () => {
  for (const to of ["d", "nobody"]) {
    const asked = { from: { type: "person", id: "a" }, to: { type: "person", id: to }, maxDepth: 4, direction: "out" };
    const expected = await byHttp<{ path?: object }>("/v1/shortest-path", asked);
    const request = ShortestPathRequest.fromPartial({
      start: asked.from,
      end: asked.to,
      maxDepth: 4,
      direction: Direction.DIRECTION_OUT,
    });
    const answer = await loopback.client.unary(
      path("ShortestPath"),
      ShortestPathRequest,
      ShortestPathResponse,
      request,
    );
    const { found, length, nodes, edges, complete, asOf } = answer;
    const told = {
      nodes: nodes.map((node) => nodeOf(node, model)),
      edges: edges.map((edge) => edgeOf(edge, model)),
    };
    expect({ found, ...(found ? { length, path: told } : {}), complete, asOf }).toEqual(expected);
  }
});

test("common neighbours", async () => {
  const of = { type: "person", ids: ["a", "d"] };
  const expected = await byHttp<{ nodes: object[] }>("/v1/common-neighbours", { of, edge: "knows", limit: 5 });
  expect(expected.nodes).toHaveLength(1);
  const request = CommonNeighboursRequest.fromPartial({ of, edges: [{ type: "knows" }], rule: { limit: 5 } });
  const answer = await loopback.client.unary(
    path("CommonNeighbours"),
    CommonNeighboursRequest,
    CommonNeighboursResponse,
    request,
  );
  const { nodes, edges, complete, asOf } = answer;
  const told = { nodes: nodes.map((node) => nodeOf(node, model)), edges: edges.map((edge) => edgeOf(edge, model)) };
  expect({ ...told, complete, asOf }).toEqual(expected);
});

test("what is wrong is told at the field that was sent", async () => {
  const refusals: [string, Promise<unknown>][] = [
    ["type", ask("GetNodes", GetNodesRequest, { type: "persn", ids: ["a"] })],
    ["pairs", ask("GetEdges", GetEdgesRequest, { type: "knows", pairs: [] })],
    ["start.type", ask("Count", CountRequest, { start: { type: "x", ids: ["a"] }, edges: [{ type: "knows" }] })],
    ["options.timeout_ms", ask("GetNodes", GetNodesRequest, { type: "person", ids: ["a"], options: { timeoutMs: 0 } })],
    [
      "of.ids",
      ask("CommonNeighbours", CommonNeighboursRequest, {
        of: { type: "person", ids: ["a"] },
        edges: [{ type: "knows" }],
      }),
    ],
  ];
  for (const [field, refused] of refusals) {
    await expect(refused).rejects.toMatchObject({ code: status.INVALID_ARGUMENT, fields: [{ field }] });
  }
});

function ask<Q>(
  method: string,
  request: Pick<MessageFns<Q>, "encode"> & { fromPartial(message: any): Q },
  message: object,
): Promise<unknown> {
  return loopback.client.unary(path(method), request, GetNodesResponse, request.fromPartial(message));
}
