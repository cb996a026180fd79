// The bytes on disk, pinned: format 1 of segments, journal, index and metadata is what test/golden/log holds, and it stays readable.
import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { freshDisk, hits, openOn, type OpenedOn } from "../../../test/log/opened.ts";
import { encodeUpdateBatch } from "../../model/update/codec.ts";
import { batchOf, columnOf, textsOf } from "../conformance-batches.ts";
import type { TopicSettings } from "../port.ts";

const golden = new URL("../../../test/golden/log/", import.meta.url);
const rows: TopicSettings = { name: "inputs.row", form: "compacted", partitions: 1, retention: { timeMs: 60_000 } };
const quarantine: TopicSettings = { name: "quarantine.hit", form: "records", partitions: 1, retention: {} };

/** One of everything that the formats know. */
async function writeAll(): Promise<OpenedOn> {
  const on = { ...freshDisk(), settings: { segmentBytes: 500, segmentMs: 100_000_000 } };
  const log = await openOn(on);
  await log.ensureTopics([hits, rows, quarantine]);
  const producer = await log.producer("gateway");
  await producer.append(hits.name, 0, batchOf(["one", "", "drei ü"], { sequence: 7, idempotencyKey: "request 1" }));
  await producer.append(hits.name, 0, batchOf(["x".repeat(300)]));
  await producer.append(hits.name, 0, batchOf(["in the next file"], { sequence: 8 }));
  const keys = columnOf(["a", "b"]);
  await producer.append(rows.name, 0, batchOf(["A", ""], { keys, nulls: Uint8Array.of(0, 1) }));
  await producer.append(rows.name, 0, batchOf(["B", "x".repeat(400)], { keys }));
  on.time.advance(120_000);
  await producer.append(rows.name, 0, batchOf(["C"], { keys: columnOf(["c"]) }));
  await log.maintain();
  const output = await log.jobOutput("hit");
  await output.commit({
    updates: encodeUpdateBatch({ eventCount: 3, nodes: [], edges: [] }),
    quarantined: { topic: quarantine.name, batch: batchOf(["bad"]) },
    inputs: [{ topic: hits.name, partition: 0, offset: 2 }],
    counters: { received: [3], quarantined: [1] },
  });
  await log.close();
  return on;
}

function hex(bytes: Buffer): string {
  return `${(bytes.toString("hex").match(/.{1,64}/g) ?? []).join("\n")}\n`;
}

function fileName(path: string): string {
  return `${path.slice("/log/".length).replaceAll("/", "_")}.hex`;
}

test("every file is written as it was", async () => {
  const { disk } = await writeAll();
  const paths = disk.paths();
  for (const path of paths) {
    await expect(hex(disk.contentOf(path))).toMatchFileSnapshot(new URL(fileName(path), golden).pathname);
  }
  expect(paths.map(fileName).sort()).toEqual((await readdir(golden)).sort());
});

test("the files of format 1 are read", async () => {
  const on = freshDisk();
  for (const name of await readdir(golden)) {
    const text = await readFile(new URL(name, golden), "utf8");
    const path = `/log/${name.slice(0, -".hex".length).replaceAll("_", "/")}`;
    on.disk.place(path, Buffer.from(text.replaceAll("\n", ""), "hex"));
  }
  const log = await openOn(on);
  const read = async (topic: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const frame of log.read({ topics: [topic], until: [] })) {
      textsOf(frame).forEach((text, i) =>
        found.push(`${frame.firstOffset + (frame.offsets?.[i] ?? i)} ${text.slice(0, 16)}`),
      );
    }
    return found;
  };
  expect(await read(hits.name)).toEqual(["0 one", "1 ", "2 drei ü", `3 ${"x".repeat(16)}`, "4 in the next file"]);
  expect(await read(rows.name)).toEqual(["2 B", `3 ${"x".repeat(16)}`, "4 C"]);
  expect(await read(quarantine.name)).toEqual(["0 bad"]);
  const output = await log.jobOutput("hit");
  expect(output.committed).toEqual([{ topic: hits.name, partition: 0, offset: 2 }]);
  expect(output.counters).toEqual({ received: [3], quarantined: [1] });
  const producer = await log.producer("gateway");
  expect(await producer.append(hits.name, 0, batchOf(["again"], { sequence: 7 }))).toMatchObject({
    duplicate: true,
    first: { offset: 0 },
  });
  await log.close();
});
