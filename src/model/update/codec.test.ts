import { readFileSync, writeFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryBatch, bytesColumnOf, everyColumnBatch } from "../../../test/update-algebra/batches.ts";
import { decodeGarbage } from "../../../test/update-algebra/garbage.ts";
import { RdgError } from "../../core/errors.ts";
import { seededRandom } from "../../core/random.ts";
import { decodeUpdateBatch, encodeUpdateBatch } from "./codec.ts";
import { ColumnMemory } from "./column-memory.ts";

const golden = new URL("../../../test/golden/update-batch/every-column.v1.bin", import.meta.url);

describe("the packed update batch", () => {
  it("gives back any batch", () => {
    fc.assert(
      fc.property(arbitraryBatch, (batch) => {
        expect(decodeUpdateBatch(encodeUpdateBatch(batch))).toEqual(batch);
      }),
      { numRuns: 150 },
    );
  });

  it("is the same in memory that held other batches before", () => {
    const memory = new ColumnMemory();
    fc.assert(
      fc.property(fc.array(arbitraryBatch, { minLength: 1, maxLength: 3 }), (batches) => {
        memory.reuse();
        const packed = batches.map((batch) => encodeUpdateBatch(batch));
        // All at once: what is handed out does not overlap.
        expect(packed.map((bytes) => decodeUpdateBatch(bytes, undefined, memory))).toEqual(batches);
      }),
      { numRuns: 100 },
    );
  });

  it("finds memory for columns however long they are", () => {
    const memory = new ColumnMemory();
    for (let round = 0; round < 2; round++) {
      memory.reuse();
      const arrays = Array.from({ length: 40 }, (_, i) => memory.doubles(i === 20 ? 300_000 : 60_000).fill(i));
      expect(arrays.every((array, i) => array.every((value) => value === i))).toBe(true);
    }
  });

  it("has these bytes in version 1", () => {
    if (process.env["RDG_UPDATE_GOLDEN"] === "1") writeFileSync(golden, encodeUpdateBatch(everyColumnBatch));
    const stored = readFileSync(golden);
    expect(decodeUpdateBatch(stored)).toEqual(everyColumnBatch);
    expect(Buffer.from(encodeUpdateBatch(everyColumnBatch)).equals(stored)).toBe(true);
  });

  it("is read wherever it lies, aligned or not, in any kind of buffer", () => {
    const packed = encodeUpdateBatch(everyColumnBatch);
    for (const offset of [0, 1, 4, 8]) {
      const shifted = Buffer.alloc(packed.length + offset + 3);
      shifted.set(packed, offset);
      expect(decodeUpdateBatch(shifted.subarray(offset, offset + packed.length))).toEqual(everyColumnBatch);
    }
  });

  it("spends nothing on what is usual", () => {
    const count = 1000;
    const times = Float64Array.from({ length: count }, (_, i) => 1_700_000_000_000 + (i % 200));
    const indexes = Uint32Array.from({ length: count }, (_, i) => i);
    const ids = { bytes: new Uint8Array(count * 4), starts: Uint32Array.from({ length: count + 1 }, (_, i) => i * 4) };
    const node = { type: 0, count, ids, lastSeenMs: times, firstSeenMs: times };
    const edge = { type: 0, count, from: indexes, to: indexes, lastSeenMs: times, firstSeenMs: times };
    const bare = encodeUpdateBatch({ eventCount: 1, nodes: [{ ...node, properties: [] }], edges: [] });
    expect(bare.length).toBe(24 + 16 + 16 + 4000 + 16 + 1000);
    const constant = { form: "number", values: new Float64Array(count).fill(2) } as const;
    const property = encodeUpdateBatch({ eventCount: 1, nodes: [{ ...node, properties: [constant] }], edges: [] });
    expect(property.length - bare.length).toBe(8 + 16);
    const edges = encodeUpdateBatch({
      eventCount: 1,
      nodes: [{ ...node, properties: [] }],
      edges: [{ ...edge, properties: [] }],
    });
    expect(edges.length - bare.length).toBe(16 + (8 + 2000) * 2 + 16 + 1000);
  });

  it("of an unknown version is refused with what to do", () => {
    const packed = encodeUpdateBatch(everyColumnBatch);
    packed[4] = 2;
    expect(() => decodeUpdateBatch(packed)).toThrow(
      expect.objectContaining({ kind: "invalid", code: "update_batch_version" }),
    );
  });

  it("holds no more than it may stand for", () => {
    const packed = encodeUpdateBatch(everyColumnBatch);
    expect(() => decodeUpdateBatch(packed, 1000)).toThrow(/more data than a batch may hold/);
  });
});

describe("a damaged packed batch", () => {
  const packed = encodeUpdateBatch(everyColumnBatch);

  it("is refused when it is cut anywhere, or when something follows", () => {
    for (let length = 0; length < packed.length; length += 8) {
      const cut = packed.slice(0, length);
      expect(() => decodeUpdateBatch(cut)).toThrow(RdgError);
      if (length < 24) continue;
      new DataView(cut.buffer).setUint32(8, length, true);
      expect(() => decodeUpdateBatch(cut)).toThrow(RdgError);
    }
    const longer = new Uint8Array(packed.length + 8);
    longer.set(packed);
    new DataView(longer.buffer).setUint32(8, longer.length, true);
    expect(() => decodeUpdateBatch(longer)).toThrow(/follows its end/);
  });

  it("is refused, without a try to allocate for it, when few bytes claim many rows", () => {
    const times = Float64Array.of(1, 1, 1);
    const rows = { type: 0, count: 3, lastSeenMs: times, firstSeenMs: times, properties: [] };
    const nodes = { ...rows, ids: bytesColumnOf(["a", "b", "c"]) };
    const manyNodes = encodeUpdateBatch({ eventCount: 1, nodes: [nodes], edges: [] });
    new DataView(manyNodes.buffer).setUint32(28, 0xffffffff, true);
    expect(() => decodeUpdateBatch(manyNodes, Infinity)).toThrow(/wrong number of rows/);
    const same = { ...rows, from: new Uint32Array(3), to: new Uint32Array(3) };
    const repeatedEdge = encodeUpdateBatch({ eventCount: 1, nodes: [nodes], edges: [same] });
    expect(() => decodeUpdateBatch(repeatedEdge)).not.toThrow();
    const many = {
      ...same,
      count: 500,
      from: new Uint32Array(500),
      to: new Uint32Array(500),
      lastSeenMs: new Float64Array(500),
      firstSeenMs: new Float64Array(500),
    };
    const manyEdges = encodeUpdateBatch({ eventCount: 1, nodes: [nodes], edges: [many] });
    expect(() => decodeUpdateBatch(manyEdges)).toThrow(RdgError);
    const items = bytesColumnOf(new Array<string>(900).fill("x"));
    const set = { form: "set", starts: Uint32Array.of(0, 300, 600, 900), items } as const;
    const manyItems = encodeUpdateBatch({ eventCount: 1, nodes: [{ ...nodes, properties: [set] }], edges: [] });
    expect(() => decodeUpdateBatch(manyItems)).toThrow(/wrong number of items/);
  });

  it("never crashes the reader, whichever byte is wrong", () => {
    for (let at = 0; at < packed.length; at++) {
      for (const value of [0, 0xff, packed[at]! ^ 1]) {
        const wrong = packed.slice();
        wrong[at] = value;
        decodeGarbage(wrong);
      }
    }
  });

  it("never crashes the reader, however many bytes are wrong", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 2, max: 40 }), (seed, wrongs) => {
        const random = seededRandom(seed);
        const wrong = packed.slice();
        for (let i = 0; i < wrongs; i++) wrong[12 + random.below(wrong.length - 12)] = random.below(256);
        decodeGarbage(wrong);
      }),
      { numRuns: 1500 },
    );
  });

  it("never crashes the reader, made of nothing but noise", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
        const bytes = new Uint8Array(24 + noise.length);
        bytes.set(packed.subarray(0, 24));
        bytes.set(noise, 24);
        new DataView(bytes.buffer).setUint32(8, bytes.length, true);
        decodeGarbage(bytes);
      }),
      { numRuns: 1000 },
    );
  });
});
