import { describe, expect, it } from "vitest";
import { bytesColumnOf } from "../../../test/update-algebra/batches.ts";
import type { GraphModel } from "../definition.ts";
import type { UpdateBatch } from "./batch.ts";
import { updateRows, updateRowsOf } from "./rows.ts";

const model: GraphModel = {
  format: 1,
  name: "streaming",
  events: [],
  sideInputs: [],
  nodes: [
    { name: "account", properties: [{ name: "country", type: { kind: "string" }, merge: "first" }] },
    { name: "title", properties: [{ name: "kind", type: { kind: "enum", symbols: ["film", "game"] }, merge: "last" }] },
  ],
  edges: [
    {
      name: "watched",
      from: "account",
      to: "title",
      properties: [
        { name: "plays", type: { kind: "int64" }, merge: "sum" },
        { name: "__proto__", type: { kind: "string" }, merge: "union" },
      ],
    },
  ],
  jobs: [],
  skewMaxMs: 300_000,
  latenessMs: 3_600_000,
  tombstoneGraceMs: 86_400_000,
};

const batch: UpdateBatch = {
  eventCount: 2,
  nodes: [
    {
      type: 0,
      count: 3,
      ids: bytesColumnOf(["a1", "only an end", "gone"]),
      lastSeenMs: Float64Array.of(9, -Infinity, -Infinity),
      firstSeenMs: Float64Array.of(7, Infinity, Infinity),
      removedAtMs: Float64Array.of(-Infinity, -Infinity, 5),
      properties: [{ form: "bytes", states: Uint8Array.of(2, 0, 0), values: bytesColumnOf(["DE", "", ""]) }],
    },
    {
      type: 1,
      count: 1,
      ids: bytesColumnOf(["\u{1f600}"]),
      lastSeenMs: Float64Array.of(9),
      firstSeenMs: Float64Array.of(9),
      properties: [{ form: "number", timesMs: Float64Array.of(8), values: Float64Array.of(1) }],
    },
  ],
  edges: [
    {
      type: 0,
      count: 1,
      from: Uint32Array.of(1),
      to: Uint32Array.of(0),
      lastSeenMs: Float64Array.of(9),
      firstSeenMs: Float64Array.of(9),
      properties: [
        { form: "counter", values: Float64Array.of(2 ** 60), exact: BigInt64Array.of(2n ** 60n) },
        {
          form: "set",
          starts: Uint32Array.of(0, 2),
          items: bytesColumnOf([Uint8Array.of(0), Uint8Array.of(1, 97)]),
          cut: Uint8Array.of(1),
        },
      ],
    },
  ],
};

const account = {
  kind: "node",
  type: "account",
  id: "a1",
  firstSeenMs: 7,
  lastSeenMs: 9,
  properties: { country: { timeMs: 7, value: "DE" } },
};
const gone = { kind: "node", type: "account", id: "gone", removedAtMs: 5, properties: {} };
const title = {
  kind: "node",
  type: "title",
  id: "\u{1f600}",
  firstSeenMs: 9,
  lastSeenMs: 9,
  properties: { kind: { timeMs: 8, value: "game" } },
};
const watched = {
  kind: "edge",
  type: "watched",
  from: "only an end",
  to: "\u{1f600}",
  firstSeenMs: 9,
  lastSeenMs: 9,
  properties: { plays: { value: 2n ** 60n }, ["__proto__"]: { value: [null, "a"], cut: true } },
};

describe("the rows of a batch", () => {
  it("are its updates with the model's names and values; mere ends of edges are left out", () => {
    expect([...updateRows(model, batch)]).toEqual([account, gone, title, watched]);
  });
  it("of one type are what a reader of its topic sees", () => {
    expect([...updateRowsOf(model, batch, "node", "account")]).toEqual([account, gone]);
    expect([...updateRowsOf(model, batch, "edge", "watched")]).toEqual([watched]);
    expect([...updateRowsOf(model, batch, "edge", "account")]).toEqual([]);
  });
  it("of another definition are refused", () => {
    const other = {
      ...model,
      nodes: [
        model.nodes[0]!,
        {
          name: "title",
          properties: [{ ...model.nodes[1]!.properties[0]!, type: { kind: "enum", symbols: ["film"] } as const }],
        },
      ],
    };
    expect(() => [...updateRows(other, batch)]).toThrow(
      expect.objectContaining({ kind: "corrupt", code: "bad_encoded_value" }),
    );
  });
});
