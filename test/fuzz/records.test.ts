// Damaged records in each form that they are stored or sent in: refused as such, or something valid; nothing is read beyond the end.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { RdgError } from "../../src/core/errors.ts";
import { compileForeignRecordReader } from "../../src/model/avro/foreign-record.ts";
import { validateRecord } from "../../src/model/avro/json-record.ts";
import { compileResolvingDecoder } from "../../src/model/avro/resolving-decoder.ts";
import { parseAvroSchema } from "../../src/model/avro/schema-tree.ts";
import { modelSchemas } from "../../src/model/avro/schemas.ts";
import { decodeQuarantineRecord, encodeQuarantineRecord } from "../../src/model/quarantine.ts";
import { encodeUpdateBatch } from "../../src/model/update/codec.ts";
import graph, { reading } from "../bad-input/graph.ts";
import { arbitraryBatch } from "../update-algebra/batches.ts";
import { decodeGarbage } from "../update-algebra/garbage.ts";
import { damage, damaged } from "./damage.ts";
import { rounds } from "./rounds.ts";

function refusal(work: () => unknown): RdgError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof RdgError) return error;
    throw error;
  }
}

test("packed batches", () => {
  const property = fc.property(arbitraryBatch, damage, (batch, changes) => {
    decodeGarbage(Uint8Array.from(damaged(encodeUpdateBatch(batch), changes)));
  });
  fc.assert(property, { numRuns: rounds(300) });
});

test("quarantine records", () => {
  const record = fc.record({
    stage: fc.string(),
    code: fc.string(),
    message: fc.string(),
    topic: fc.option(fc.string(), { nil: undefined }),
    partition: fc.option(fc.nat(), { nil: undefined }),
    offset: fc.option(fc.maxSafeNat(), { nil: undefined }),
    receivedMs: fc.maxSafeInteger(),
    bytes: fc.uint8Array({ maxLength: 200 }),
  });
  const property = fc.property(record, damage, (written, changes) => {
    const bytes = damaged(encodeQuarantineRecord(written), changes);
    const error = refusal(() => {
      const read = decodeQuarantineRecord(bytes);
      for (const text of [read.stage, read.code, read.message, read.topic ?? ""])
        expect(text.isWellFormed()).toBe(true);
      expect(read.bytes.length).toBeLessThanOrEqual(bytes.length);
    });
    expect(["corrupt", undefined]).toContain(error?.kind);
  });
  fc.assert(property, { numRuns: rounds(500) });
});

const { fields } = reading.model;
const own = modelSchemas(graph.model).find(({ subject }) => subject === "events.reading-value")!.schema;
/** Damage to a schema that mostly leaves it JSON: words for other words. */
const words = [
  ...new Set(own.match(/"[^"]*"|\d+|true|false|null/g)),
  '"fixed"',
  '"bytes"',
  '["null"]',
  '{"type":"map"}',
  "[]",
  "-1",
];
const schemas = fc
  .array(fc.tuple(fc.nat(words.length * 4), fc.constantFrom(...words)), { maxLength: 5 })
  .map((changes) => {
    const byPlace = new Map(changes);
    let place = 0;
    return own.replaceAll(/"[^"]*"|\d+|true|false|null/g, (word) => byPlace.get(place++) ?? word);
  });

test("schemas, and records that claim to be written with them", () => {
  const texts = fc.oneof(
    { weight: 3, arbitrary: schemas },
    damage.map((changes) => damaged(Buffer.from(own), changes).toString()),
  );
  const property = fc.property(texts, fc.uint8Array({ maxLength: 300 }), damage, (text, noise, changes) => {
    const invalid = refusal(() => parseAvroSchema(text));
    expect(["invalid", undefined]).toContain(invalid?.kind);
    if (invalid !== undefined) return;
    let read: ((bytes: Uint8Array, start: number, end: number) => unknown) | undefined;
    const unresolvable = refusal(() => (read = compileForeignRecordReader(fields, own, text)));
    expect(refusal(() => compileResolvingDecoder(text, own, fields))?.kind).toBe(unresolvable?.kind);
    expect([undefined, "unresolvable_schema"]).toContain(unresolvable?.code);
    if (read === undefined) return;
    for (const bytes of [noise, damaged(goodRecord, changes)]) {
      const error = refusal(() => {
        const value = read!(bytes, 0, bytes.length);
        // What it means as a record is for the definition of validity to say; it says so without failing.
        validateRecord(fields, value, "sensorId");
      });
      expect(["bad_avro", undefined]).toContain(error?.code);
    }
  });
  fc.assert(property, { numRuns: rounds(300) });
});

/** "s" at 0, and nothing of what is optional. */
const goodRecord = Buffer.from([2, 0x73, 0, ...fields.slice(2).map(() => 0)]);
