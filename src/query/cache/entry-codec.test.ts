// Entries come back from the second tier as they were put, and bytes that are no entry are none, however alike they look.
import { crc32 } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PropertyValue } from "../../model/filter.ts";
import {
  type SharedHead,
  type SharedNode,
  decodeHead,
  decodeNode,
  encodeHead,
  encodeNode,
  markIn,
} from "./entry-codec.ts";

const mark = Buffer.from("twelve bytes");
const text = fc.string({ unit: "binary" });
const { value } = fc.letrec<{ value: PropertyValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(undefined, null, true, false),
    text,
    fc.double({ noNaN: true }).map((double) => (Object.is(double, -0) ? 0 : double)),
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.uint8Array(),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.oneof(text, fc.constant("__proto__")), tie("value"), { maxKeys: 4, noNullPrototype: false }),
  ),
}));
const moment = fc.oneof(fc.integer({ min: 0, max: 2_000_000_000_000 }), fc.constantFrom(-Infinity, Infinity));
const columns = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<Map<number, T>> =>
  fc.array(fc.tuple(fc.nat(20), item), { maxLength: 4 }).map((entries) => new Map(entries));

const nodes: fc.Arbitrary<SharedNode> = fc.oneof(
  fc.tuple(moment, moment, columns(value)).map(([firstSeenMs, lastSeenMs, properties]) => ({
    mentioned: true,
    visible: true,
    firstSeenMs,
    lastSeenMs,
    properties,
  })),
  fc
    .boolean()
    .map((mentioned) => ({ mentioned, visible: false, firstSeenMs: 0, lastSeenMs: 0, properties: new Map() })),
);
const heads: fc.Arbitrary<SharedHead> = fc.nat(6).chain((count) => {
  const times = fc.array(moment, { minLength: count, maxLength: count }).map((list) => Float64Array.from(list));
  return fc.record({
    neighbours: fc.array(text, { minLength: count, maxLength: count }),
    firstSeenMs: times,
    lastSeenMs: times,
    properties: columns(fc.array(value, { minLength: count, maxLength: count })),
    sinceMs: moment,
    complete: fc.boolean(),
  });
});

describe("entries", () => {
  test("are read as they were written", () => {
    fc.assert(
      fc.property(nodes, heads, (node, head) => {
        const [nodeBytes, headBytes] = [encodeNode(node, mark), encodeHead(head, mark)];
        expect(decodeNode(nodeBytes)).toEqual(node);
        expect(decodeHead(headBytes)).toEqual(head);
        expect([markIn(nodeBytes), markIn(headBytes)]).toEqual([mark, mark]);
        expect([decodeHead(nodeBytes), decodeNode(headBytes)]).toEqual([undefined, undefined]);
      }),
      { numRuns: 500 },
    );
  });

  test("that were changed or cut on the way are none", () => {
    fc.assert(
      fc.property(nodes, heads, fc.nat(), fc.integer({ min: 1, max: 255 }), (node, head, at, flip) => {
        for (const entry of [encodeNode(node, mark), encodeHead(head, mark)]) {
          const changed = Uint8Array.from(entry, (byte, i) => (i === at % entry.length ? byte ^ flip : byte));
          for (const bytes of [changed, entry.subarray(0, at % entry.length)]) {
            expect([decodeNode(bytes), decodeHead(bytes)]).toEqual([undefined, undefined]);
          }
        }
      }),
    );
  });

  test("that lie are read to something or nothing, without an error and without much memory", () => {
    fc.assert(
      fc.property(nodes, heads, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }), (node, head, changes) => {
        for (const entry of [encodeNode(node, mark), encodeHead(head, mark)]) {
          const bytes = Buffer.from(entry);
          for (const [at, byte] of changes) bytes[16 + (at % (bytes.length - 16))] = byte;
          bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0);
          for (const read of [decodeNode(bytes), decodeHead(bytes)]) {
            if (read !== undefined) expect(read.properties.size).toBeLessThanOrEqual(bytes.length);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test("of bytes by chance are none", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect([decodeNode(bytes), decodeHead(bytes)]).toEqual([undefined, undefined]);
      }),
    );
  });
});
