// The writer of answers against the generated codec, as a foreign writer and reader: the same bytes, for columns of every type and elements of every size.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { GraphModel, PropertyModel, ValueType } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";
import type { Timestamp } from "../../model/rpc/generated/google/protobuf/timestamp.ts";
import type { Value } from "../../model/rpc/generated/rdg/v1/element.ts";
import { type TraverseChunk, TraverseResponse } from "../../model/rpc/generated/rdg/v1/traverse.ts";
import type { EdgesPart, NodesPart } from "../../query/port.ts";
import { AnswerEncoder, type PendingPart } from "./encode-answer.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";

const texts = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.string({ unit: "binary-ascii", maxLength: 300 }),
  fc.constantFrom("", "__proto__", "x".repeat(127), "x".repeat(128), "ä".repeat(70), "y".repeat(20_000)),
);
/** Never empty. */
const ids = texts.map((text) => text || "i");
const moments = fc.oneof(
  fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }),
  fc.constantFrom(0, -1, 1, 999, 1_000, -1_000),
);
const int64s = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(0n, -1n, 127n, 128n, 2n ** 31n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, -(2n ** 63n)),
);

interface Typed {
  readonly type: ValueType;
  readonly values: fc.Arbitrary<PropertyValue>;
}

const scalars: readonly Typed[] = [
  { type: { kind: "string" }, values: texts },
  { type: { kind: "enum", symbols: ["film", "episode"] }, values: fc.constantFrom("film", "episode") },
  { type: { kind: "int32" }, values: fc.integer() },
  {
    type: { kind: "int64" },
    // As readers give it: a number where that is exact.
    values: int64s.map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value)),
  },
  { type: { kind: "double" }, values: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  { type: { kind: "boolean" }, values: fc.boolean() },
  { type: { kind: "timestamp" }, values: moments },
  { type: { kind: "bytes" }, values: fc.uint8Array({ maxLength: 200 }) },
];
const nested: readonly Typed[] = scalars.flatMap(({ type, values }): Typed[] => [
  { type: { kind: "array", item: type }, values: fc.array(fc.oneof(values, fc.constant(null)), { maxLength: 4 }) },
  { type: { kind: "map", value: type }, values: fc.dictionary(texts, values, { maxKeys: 4 }) },
  {
    type: { kind: "record", fields: [{ name: "a", type, optional: true }] },
    values: fc.record({ a: values }, { requiredKeys: [] }),
  },
]);

interface Column {
  readonly property: PropertyModel;
  readonly cells: readonly PropertyValue[];
}

const rowCount = 6;
const columns: fc.Arbitrary<Column> = fc
  .record({
    typed: fc.constantFrom(...scalars, ...nested),
    name: fc.constantFrom("p", "__proto__", "größe"),
    set: fc.boolean(),
  })
  .chain(({ typed: { type, values }, name, set }) => {
    const isSet = set && !["array", "map", "record"].includes(type.kind);
    const value = isSet ? fc.array(values, { maxLength: 4 }) : values;
    const cell = fc.oneof({ weight: 6, arbitrary: value }, fc.constantFrom(null, undefined));
    const property: PropertyModel = isSet ? { name, type, merge: "union", unionMax: 8 } : { name, type, merge: "last" };
    return fc.array(cell, { minLength: rowCount, maxLength: rowCount }).map((cells) => ({
      property,
      cells,
    }));
  });

const elements = fc.record({
  columns: fc.uniqueArray(columns, { maxLength: 3, selector: ({ property }) => property.name }),
  ids: fc.array(ids, { minLength: rowCount, maxLength: rowCount }),
  others: fc.array(ids, { minLength: rowCount, maxLength: rowCount }),
  times: fc.array(moments, { minLength: rowCount, maxLength: rowCount }),
  visible: fc.array(fc.constantFrom(0, 1, 1), { minLength: rowCount, maxLength: rowCount }),
  from: fc.nat(rowCount),
  to: fc.nat(rowCount),
  level: fc.constantFrom(0, 1, 200),
});
type Elements = typeof elements extends fc.Arbitrary<infer T> ? T : never;

function modelOf({ columns: of }: Elements): GraphModel {
  const properties = of.map(({ property }) => property);
  return {
    format: 1,
    name: "test",
    events: [],
    sideInputs: [],
    nodes: [{ name: "knoten", properties }],
    edges: [{ name: "kante", from: "knoten", to: "knoten", properties }],
    jobs: [],
    skewMaxMs: 0,
    latenessMs: 0,
    tombstoneGraceMs: 0,
  };
}

function partsOf({ columns: of, ids, others, times, visible, from, to, level }: Elements): (NodesPart | EdgesPart)[] {
  const range = { level, from: Math.min(from, to), to: Math.max(from, to) };
  const select = of.map((_, i) => i);
  const properties = of.map(({ cells }) => cells);
  const seen = { firstSeenMs: Float64Array.from(times), lastSeenMs: Float64Array.from(times, (ms) => ms + 1) };
  const rows = { visible: Uint8Array.from(visible), ...seen, properties };
  const enriched = [
    { name: "extra", values: ids.map((id, i) => (i % 2 === 0 ? { id, list: [1, null, true] } : null)) },
  ];
  return [
    { kind: "nodes", ...range, type: 0, ids, rows, select, enriched },
    { kind: "edges", ...range, edge: 0, fromIds: ids, toIds: others, ...seen, properties, select },
  ];
}

function timestamp(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: (ms - seconds * 1_000) * 1_000_000 };
}

const empty: Value = { kind: { $case: "nullValue", value: 0 } };

function valueOf(value: PropertyValue, type: ValueType): Value {
  if (value === null || value === undefined) return empty;
  switch (type.kind) {
    case "string":
    case "enum":
      return { kind: { $case: "stringValue", value: value as string } };
    case "int32":
    case "int64":
      return { kind: { $case: "int64Value", value: BigInt(value as number) } };
    case "double":
      return { kind: { $case: "doubleValue", value: value as number } };
    case "boolean":
      return { kind: { $case: "boolValue", value: value as boolean } };
    case "timestamp":
      return { kind: { $case: "timestampValue", value: timestamp(value as number) } };
    case "bytes":
      return { kind: { $case: "bytesValue", value: value as Uint8Array } };
    case "array": {
      const values = (value as PropertyValue[]).map((item) => valueOf(item, type.item));
      return { kind: { $case: "listValue", value: { values } } };
    }
    case "map":
    case "record": {
      const typeOf = (name: string): ValueType =>
        type.kind === "map" ? type.value : type.fields.find((field) => field.name === name)!.type;
      const entries = Object.entries(value as object).map(
        ([name, item]) => [name, valueOf(item as PropertyValue, typeOf(name))] as const,
      );
      return { kind: { $case: "mapValue", value: { entries: new Map(entries) } } };
    }
  }
}

const extra = (id: string): Value => {
  const list = [{ $case: "doubleValue", value: 1 } as const, empty.kind!, { $case: "boolValue", value: true } as const];
  const entries = new Map<string, Value>([
    ["id", { kind: { $case: "stringValue", value: id } }],
    ["list", { kind: { $case: "listValue", value: { values: list.map((kind) => ({ kind })) } } }],
  ]);
  return { kind: { $case: "mapValue", value: { entries } } };
};

function chunkOf(part: NodesPart | EdgesPart, { columns: of, ids, others, times, visible }: Elements): TraverseChunk {
  const rows = ids.map((_, i) => i).slice(part.from, part.to);
  const properties = (row: number): Map<string, Value> =>
    new Map(
      of.flatMap(({ property: { name, type, merge }, cells }) =>
        cells[row] === undefined
          ? []
          : [[name, valueOf(cells[row], merge === "union" ? { kind: "array", item: type } : type)] as const],
      ),
    );
  const seen = (row: number) => ({ firstSeen: timestamp(times[row]!), lastSeen: timestamp(times[row]! + 1) });
  const unseen = { firstSeen: undefined, lastSeen: undefined, properties: new Map<string, Value>() };
  return {
    level: part.level,
    nodes:
      part.kind === "edges"
        ? []
        : rows.map((row) => ({
            type: "knoten",
            id: ids[row]!,
            ...(visible[row] === 1 ? { ...seen(row), properties: properties(row) } : unseen),
            enriched: new Map([["extra", row % 2 === 0 ? extra(ids[row]!) : empty]]),
          })),
    edges:
      part.kind === "nodes"
        ? []
        : rows.map((row) => ({
            type: "kante",
            fromId: ids[row]!,
            toId: others[row]!,
            ...seen(row),
            properties: properties(row),
          })),
  };
}

/** What is not written is what the generated code does not write, too. */
const withoutEmpty = (chunks: readonly TraverseChunk[]): TraverseChunk[] =>
  chunks.filter(({ nodes, edges }) => nodes.length + edges.length > 0);

describe("messages of answers", () => {
  test("are byte by byte what the generated code writes", () => {
    fc.assert(
      fc.property(elements, (of) => {
        const encoder = new AnswerEncoder(modelOf(of));
        const parts = partsOf(of);
        const pending = parts.map((part): PendingPart => ({ part, at: part.from }));
        const summary = Uint8Array.of(0x10, 1);
        const chunks = withoutEmpty(parts.map((part) => chunkOf(part, of)));
        const expected = TraverseResponse.encode(
          TraverseResponse.create({ chunks, summary: { complete: true } }),
        ).finish();
        const written = Uint8Array.from(encoder.response(pending, Infinity, summary));
        expect(Buffer.compare(written, expected)).toBe(0);
        expect(TraverseResponse.decode(written).chunks).toEqual(TraverseResponse.decode(expected).chunks);
        expect(pending).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test("that are cut at any size hold together what one would", () => {
    fc.assert(
      fc.property(elements, fc.integer({ min: 1, max: 300 }), (of, bytesMax) => {
        const encoder = new AnswerEncoder(modelOf(of));
        const parts = partsOf(of);
        const uncut = parts.map((part): PendingPart => ({ part, at: part.from }));
        const whole = decoded(encoder.response(uncut, Infinity, undefined));
        const pending = parts.map((part): PendingPart => ({ part, at: part.from }));
        const elementsOf = (chunks: readonly TraverseChunk[]): unknown[] =>
          chunks.flatMap(({ level, nodes, edges }) => [...nodes, ...edges].map((element) => ({ level, element })));
        const chunks: TraverseChunk[] = [];
        let messages = 0;
        do {
          chunks.push(...decoded(encoder.response(pending, bytesMax, undefined)).chunks);
          messages++;
        } while (pending.length > 0);
        expect(elementsOf(chunks)).toEqual(elementsOf(whole.chunks));
        expect(messages).toBeLessThanOrEqual(elementsOf(chunks).length + parts.length);
      }),
      { numRuns: 300 },
    );
  });
});

/** The encoder writes over what it has given before, of which bytes of values would be views. */
function decoded(bytes: Buffer): TraverseResponse {
  return TraverseResponse.decode(Buffer.from(bytes));
}

test("lengths beside those that were expected are moved to their places", () => {
  const writer = new ProtobufWriter();
  for (const length of [0, 1, 127, 128, 16_383, 16_384, 200_000]) {
    for (const expected of [1, 2, 3]) {
      writer.reset();
      writer.byte(7);
      const from = writer.begin(expected);
      writer.put(new Uint8Array(length).fill(5));
      writer.end(from, expected);
      const written = writer.written();
      const prefix = varint(length);
      expect([...written.subarray(0, 1 + prefix.length)]).toEqual([7, ...prefix]);
      expect(written.length).toBe(1 + prefix.length + length);
      expect(written.subarray(1 + prefix.length).every((byte) => byte === 5)).toBe(true);
    }
  }
});

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}
