// Quarantine records: the bytes are pinned, foreign readers understand them, damage is refused.
import { readFile } from "node:fs/promises";
import avro from "avsc";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { RdgError } from "../core/errors.ts";
import {
  decodeQuarantineRecord,
  encodeQuarantineRecord,
  quarantineSchema,
  type QuarantineRecord,
} from "./quarantine.ts";

const sample: QuarantineRecord = {
  stage: "jobs.playback",
  code: "id_too_long",
  message: "The id of \u{1F600} is too long.",
  topic: "events.playback",
  partition: 3,
  offset: 2 ** 40,
  receivedMs: 1_790_000_000_000,
  bytes: Uint8Array.of(0, 1, 255),
};
const golden = new URL("../../test/golden/quarantine/record.hex", import.meta.url);

test("the bytes are those of the golden file", async () => {
  expect(Buffer.from(encodeQuarantineRecord(sample)).toString("hex")).toBe((await readFile(golden, "utf8")).trim());
});

test("avsc reads what is behind the version", () => {
  const read: unknown = avro.Type.forSchema(JSON.parse(quarantineSchema)).fromBuffer(
    Buffer.from(encodeQuarantineRecord(sample)).subarray(1),
  );
  expect({ ...(read as object) }).toEqual({ ...sample, bytes: Buffer.from(sample.bytes) });
});

const absent = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const recordArbitrary = fc.record({
  stage: fc.string(),
  code: fc.string(),
  message: fc.string({ unit: "binary" }),
  topic: absent(fc.string()),
  partition: absent(fc.nat()),
  offset: absent(fc.maxSafeNat()),
  receivedMs: fc.maxSafeNat(),
  bytes: fc.uint8Array(),
});

test("what is written is read", () => {
  fc.assert(
    fc.property(recordArbitrary, (record) => {
      expect(decodeQuarantineRecord(encodeQuarantineRecord(record))).toEqual(record);
    }),
  );
});

test("long and ill-formed messages are cut and mended", () => {
  const { message } = decodeQuarantineRecord(
    encodeQuarantineRecord({ ...sample, message: `\ud800${"x".repeat(10_000)}` }),
  );
  expect(message).toBe(`\ufffd${"x".repeat(3999)}`);
});

test("large records fit", () => {
  const bytes = new Uint8Array(3_000_000).fill(7);
  const decoded = decodeQuarantineRecord(encodeQuarantineRecord({ ...sample, bytes }));
  expect(Buffer.compare(decoded.bytes, bytes)).toBe(0);
});

test("an unknown version and damage are refused", () => {
  const encoded = encodeQuarantineRecord(sample);
  const other = Uint8Array.from(encoded);
  other[0] = 2;
  expect(() => decodeQuarantineRecord(other)).toThrow(
    expect.objectContaining({ kind: "corrupt", code: "unknown_format" }),
  );
  expect(() => decodeQuarantineRecord(new Uint8Array(0))).toThrow(expect.objectContaining({ code: "unknown_format" }));
  for (let length = 1; length < encoded.length; length++) {
    expect(() => decodeQuarantineRecord(encoded.subarray(0, length))).toThrow(RdgError);
  }
});
