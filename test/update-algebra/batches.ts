// Update batches made by hand: one of every kind of column, and arbitrary ones, for the codec's tests.
import * as fc from "fast-check";
import type { BytesColumn, PropertyColumn, UpdateBatch } from "../../src/model/update/batch.ts";

const encoder = new TextEncoder();

export function bytesColumnOf(values: readonly (string | Uint8Array)[]): BytesColumn {
  const parts = values.map((value) => (typeof value === "string" ? encoder.encode(value) : value));
  const starts = new Uint32Array(parts.length + 1);
  for (const [i, part] of parts.entries()) starts[i + 1] = starts[i]! + part.length;
  return { bytes: new Uint8Array(Buffer.concat(parts)), starts };
}

const t = 1_700_000_000_000;
const none = -Infinity;

/** Each kind of column, each flag, each width at least once. */
export const everyColumnBatch: UpdateBatch = {
  eventCount: 4,
  nodes: [
    {
      type: 1,
      count: 3,
      ids: bytesColumnOf(["a1", "__proto__", "\u{1f600}"]),
      lastSeenMs: Float64Array.of(t + 5, none, t),
      firstSeenMs: Float64Array.of(t, Infinity, t),
      removedAtMs: Float64Array.of(none, t + 9, none),
      properties: [
        {
          form: "number",
          states: Uint8Array.of(2, 0, 1),
          timesMs: Float64Array.of(t + 1, 0, t),
          values: Float64Array.of(0.5, 0, 0),
        },
        undefined,
        {
          form: "int64",
          states: Uint8Array.of(2, 0, 0),
          values: Float64Array.of(2 ** 60, 0, 0),
          exact: BigInt64Array.of(2n ** 60n + 1n, 0n, 0n),
        },
        { form: "bytes", states: Uint8Array.of(1, 0, 2), values: bytesColumnOf(["", "", "text"]) },
        { form: "counter", states: Uint8Array.of(0, 0, 2), values: Float64Array.of(0, 0, -7) },
        {
          form: "set",
          starts: Uint32Array.of(0, 2, 2, 3),
          items: bytesColumnOf([Uint8Array.of(0), Uint8Array.of(1, 97), Uint8Array.of(1, 97)]),
          cut: Uint8Array.of(1, 0, 0),
        },
      ],
    },
    {
      type: 0,
      count: 90,
      ids: bytesColumnOf(Array.from({ length: 90 }, (_, i) => `id-${i}`)),
      lastSeenMs: Float64Array.from({ length: 90 }, (_, i) => t + i * 100_000),
      firstSeenMs: Float64Array.from({ length: 90 }, (_, i) => t + i * 100_000),
      properties: [
        { form: "number", values: new Float64Array(90).fill(2) },
        { form: "number", values: Float64Array.from({ length: 90 }, (_, i) => i * 900) },
        { form: "bytes", values: bytesColumnOf(Array.from({ length: 90 }, (_, i) => ["DE", "NL", "BE"][i % 3]!)) },
        {
          form: "int64",
          timesMs: Float64Array.from({ length: 90 }, (_, i) => i / 2),
          values: Float64Array.from({ length: 90 }, (_, i) => i - 150),
        },
      ],
    },
  ],
  edges: [
    {
      type: 0,
      count: 2,
      from: Uint32Array.of(0, 89),
      to: Uint32Array.of(2, 2),
      lastSeenMs: Float64Array.of(t, t + 1),
      firstSeenMs: Float64Array.of(t, t + 1),
      properties: [{ form: "counter", values: Float64Array.of(1, 2) }],
    },
    {
      type: 7,
      count: 1,
      from: Uint32Array.of(1),
      to: Uint32Array.of(1),
      lastSeenMs: Float64Array.of(none),
      firstSeenMs: Float64Array.of(Infinity),
      removedAtMs: Float64Array.of(t),
      properties: [],
    },
  ],
};

const number = fc
  .oneof(fc.integer({ min: -300, max: 300 }), fc.integer(), fc.maxSafeInteger(), fc.double({ noNaN: true }))
  .map((value) => value + 0);
const state = fc.constantFrom(0, 1, 2);

function numbers(count: number): fc.Arbitrary<Float64Array> {
  return fc
    .oneof(
      number.map((value) => new Array<number>(count).fill(value)),
      fc.array(number, { minLength: count, maxLength: count }),
    )
    .map((values) => Float64Array.from(values));
}

function texts(count: number, lengthMin: number): fc.Arbitrary<BytesColumn> {
  const value = fc.oneof(
    fc.constantFrom(Uint8Array.of(1, 2), Uint8Array.of(3), new Uint8Array(65).fill(7)),
    fc.uint8Array({ minLength: lengthMin, maxLength: 5 }),
  );
  return fc.array(value, { minLength: count, maxLength: count }).map(bytesColumnOf);
}

/** Rows without a value have 0 and no bytes, those without a contribution time 0, as decoding yields them. */
function property(count: number): fc.Arbitrary<PropertyColumn> {
  const states = fc.option(
    fc.array(state, { minLength: count, maxLength: count }).filter((list) => list.some((one) => one !== 2)),
    { nil: undefined },
  );
  const register = fc.record({
    form: fc.constantFrom("number", "int64", "counter", "bytes"),
    states: states.map((list) => (list === undefined ? undefined : Uint8Array.from(list))),
    times: fc.option(numbers(count), { nil: undefined }),
    values: numbers(count),
    integers: fc.option(
      fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { minLength: count, maxLength: count }),
      { nil: undefined },
    ),
    texts: texts(count, 0),
  });
  const set = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: count, maxLength: count }).chain((sizes) => {
    const starts = new Uint32Array(count + 1);
    for (const [row, size] of sizes.entries()) starts[row + 1] = starts[row]! + size;
    return fc
      .record({
        items: texts(starts[count]!, 1),
        cut: fc.option(fc.uint8Array({ minLength: count, maxLength: count, max: 1 }), { nil: undefined }),
      })
      .map(({ items, cut }): PropertyColumn => ({ form: "set", starts, items, ...(cut !== undefined && { cut }) }));
  });
  return fc.oneof(
    { weight: 3, arbitrary: register.map((drawn) => registerColumn(drawn)) },
    { weight: 1, arbitrary: set },
  );
}

interface Drawn {
  readonly form: string;
  readonly states: Uint8Array | undefined;
  readonly times: Float64Array | undefined;
  readonly values: Float64Array;
  readonly integers: readonly bigint[] | undefined;
  readonly texts: BytesColumn;
}

function registerColumn({ form, states, times, values, integers, texts }: Drawn): PropertyColumn {
  const hasValue = (row: number): boolean => states === undefined || states[row] === 2;
  const given = states === undefined ? {} : { states };
  const timesMs = times?.map((time, row) => (states !== undefined && states[row] === 0 ? 0 : time));
  const timed = timesMs === undefined ? given : { ...given, timesMs };
  if (form === "bytes") {
    const parts = Array.from({ length: values.length }, (_, row) =>
      hasValue(row) ? texts.bytes.slice(texts.starts[row], texts.starts[row + 1]) : new Uint8Array(0),
    );
    return { form, ...timed, values: bytesColumnOf(parts) };
  }
  const spread = values.map((value, row) => (hasValue(row) ? value : 0));
  if (form === "number") return { form, ...timed, values: spread };
  if (integers === undefined)
    return { form: form === "int64" ? "int64" : "counter", ...(form === "int64" ? timed : given), values: spread };
  const exact = BigInt64Array.from(integers, (value, row) => (hasValue(row) ? value : 0n));
  const doubles = { values: Float64Array.from(exact, Number), exact };
  return form === "int64" ? { form, ...timed, ...doubles } : { form: "counter", ...given, ...doubles };
}

function rows(count: number): fc.Arbitrary<Omit<UpdateBatch["nodes"][number], "ids">> {
  const time = fc.oneof(
    fc.integer({ min: 0, max: 9 }),
    fc.integer({ min: -8_640_000_000_000_000, max: 8_640_000_000_000_000 }),
  );
  const upsert = fc.option(fc.tuple(time, fc.integer({ min: 0, max: 100_000 })), { freq: 4, nil: undefined });
  return fc
    .record({
      type: fc.integer({ min: 0, max: 65_535 }),
      upserts: fc.array(upsert, { minLength: count, maxLength: count }),
      removals: fc.option(fc.array(fc.option(time, { nil: none }), { minLength: count, maxLength: count }), {
        nil: undefined,
      }),
      properties: fc.array(fc.option(property(count), { nil: undefined }), { maxLength: 5 }),
    })
    .map(({ type, upserts, removals, properties }) => ({
      type,
      count,
      lastSeenMs: Float64Array.from(upserts, (upsert) => upsert?.[0] ?? none),
      firstSeenMs: Float64Array.from(upserts, (upsert) => (upsert === undefined ? Infinity : upsert[0] - upsert[1])),
      ...(removals !== undefined && { removedAtMs: Float64Array.from(removals) }),
      properties,
    }));
}

/** Any batch that a window could publish, as decoding yields it, and many that none would. */
export const arbitraryBatch: fc.Arbitrary<UpdateBatch> = fc
  .oneof(fc.integer({ min: 2, max: 6 }), fc.integer({ min: 64, max: 140 }))
  .chain((count) => {
    const ids = Array.from({ length: count }, (_, i) => `${i}`);
    const nodes = rows(count).map((columns) => ({ ...columns, ids: bytesColumnOf(ids) }));
    const indexes = Uint32Array.from({ length: count }, (_, i) => i);
    const edges = rows(count).map((columns) => ({ ...columns, from: indexes, to: indexes.toReversed() }));
    return fc.record({
      eventCount: fc.nat(),
      nodes: fc.uniqueArray(nodes, { minLength: 1, maxLength: 3, selector: ({ type }) => type }),
      edges: fc.uniqueArray(edges, { maxLength: 2, selector: ({ type }) => type }),
    });
  });
