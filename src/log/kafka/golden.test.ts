// The log's own records in Kafka, pinned: format 1 is what test/golden/kafka holds, it stays readable, and what says another number is refused.
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import type { RdgError } from "../../core/errors.ts";
import { batchOf, columnOf } from "../conformance-batches.ts";
import { decodeState, WholeProgress } from "./job-state.ts";
import { decodeTransaction, encodeTransaction } from "./journal-record.ts";
import { decodePartitionState } from "./partition-state.ts";
import { batchesIn, decodeRecords, encodeBatch } from "./record-batch.ts";
import { encodeTag } from "./stored-batches.ts";

const golden = new URL("../../../test/golden/kafka/", import.meta.url);
const updates = await readFile(new URL("../update-batch/every-column.v1.bin", golden));

const hex = (bytes: Uint8Array): string =>
  `${(
    Buffer.from(bytes)
      .toString("hex")
      .match(/.{1,64}/g) ?? []
  ).join("\n")}\n`;
const pinned = (bytes: Uint8Array, name: string): Promise<void> =>
  expect(hex(bytes)).toMatchFileSnapshot(new URL(name, golden).pathname);
const held = async (name: string): Promise<Buffer> =>
  Buffer.from((await readFile(new URL(name, golden), "utf8")).replaceAll("\n", ""), "hex");

const inputs = [
  { topic: "events.hit", partition: 0, offset: 41 },
  { topic: "events.hit", partition: 3, offset: 2 ** 40 },
];
const counters = { received: [42, 0, 0, 7], ["__proto__"]: [1] };
const at = { offset: 12, timestampMs: 1_700_000_000_000, source: "rdg.journal" };

test("a job's transaction in the journal", async () => {
  await pinned(encodeTransaction("hit", { updates, quarantined: undefined, inputs, counters }), "transaction.hex");
  await pinned(
    encodeTransaction("hit", { updates: undefined, quarantined: undefined, inputs: [], counters: {} }),
    "transaction-without-updates.hex",
  );
  const read = decodeTransaction(await held("transaction.hex"), at);
  expect(read).toMatchObject({ job: "hit", inputs, offset: 12, timestampMs: at.timestampMs });
  expect(Buffer.from(read.packed!).equals(updates)).toBe(true);
  expect(read.updates()!.eventCount).toBeGreaterThan(0);
  const empty = decodeTransaction(await held("transaction-without-updates.hex"), at);
  expect([empty.inputs, empty.packed, empty.updates()]).toEqual([[], undefined, undefined]);
});

test("a batch of records with keys, nulls and the tag of a retry", async () => {
  const batch = batchOf(["one", "", "drei ü"], {
    keys: columnOf(["a", "b", "a"]),
    nulls: Uint8Array.of(0, 1, 0),
    sequence: 7,
    idempotencyKey: "request 1",
  });
  const tag = encodeTag({ count: 3, producer: "gateway", sequence: 7, key: "request 1" });
  const identity = { producerId: 4n, epoch: 2, sequence: 9, transactional: true, nowMs: at.timestampMs } as const;
  await pinned(encodeBatch([{ batch, tag }], { ...identity, compression: "none" }), "record-batch.hex");
  const [head] = [...batchesIn(await held("record-batch.hex"), "hit")];
  expect(head).toMatchObject({ count: 3, lastOffset: 2, producerId: 4n, transactional: true, control: undefined });
  const { values, keys, nulls, tags } = decodeRecords(head!, "hit");
  expect([values, keys].map((column) => Buffer.from(column!.bytes).subarray(0, column!.starts[3]).toString())).toEqual([
    "onedrei ü",
    "aba",
  ]);
  expect([...nulls!]).toEqual([0, 1, 0]);
  expect(tags.map(([record, bytes]) => [record, Buffer.from(bytes).equals(tag)])).toEqual([[0, true]]);
});

const wholeState =
  '{"committed":[["events.hit",0,41],["events.hit",3,1099511627776]],"counters":{"received":[42,0,0,7]}}';
const partitionState = '{"offset":41,"counters":{"received":42},"worker":"one"}';

test("where a job goes on", () => {
  const { records } = new WholeProgress("hit", []).step(inputs, { received: [42, 0, 0, 7] });
  expect(records).toEqual([{ key: "hit", value: wholeState }]);
  expect(decodeState(wholeState)).toEqual({ committed: inputs, counters: { received: [42, 0, 0, 7] } });
  expect(decodePartitionState(partitionState)).toEqual({ offset: 41, counters: { received: 42 }, worker: "one" });
});

test("records of a later format are refused, naming both", async () => {
  const later = (text: string): string => text.replace(/\{/, '{"format":2,');
  const transaction = await held("transaction-without-updates.hex");
  const description = later(transaction.toString("utf8", 4).trimEnd());
  const length = Buffer.alloc(4);
  length.writeUInt32LE(Buffer.byteLength(description));
  const changed = Buffer.concat([length, Buffer.from(description)]);
  const refused = (read: () => unknown): void =>
    expect(read).toThrow(
      expect.objectContaining<Partial<RdgError>>({
        kind: "invalid",
        code: "unknown_format",
        message: expect.stringMatching(/ has format 2; this version reads format 1\.$/) as string,
      }),
    );
  refused(() => decodeTransaction(changed, at));
  refused(() => decodeState(later(wholeState)));
  refused(() => decodePartitionState(later(partitionState)));
});
