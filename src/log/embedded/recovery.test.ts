// What the log makes of damaged and torn files: it cuts what a crash tears, and refuses everything else with file and byte.
import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { appendEach, failure, freshDisk, hits, openOn, type OpenedOn, valuesOf } from "../../../test/log/opened.ts";
import { segmentHeaderBytes } from "./segment-format.ts";

const folder = "/log/records/events.hit/0";
const first = `${folder}/0000000000000000.segment`;
const values = ["one", "two", "three", "four", "five"];

/** A log with one record per write; `end` is how its process ended. */
async function written(
  end: "killed" | "closed",
  settings: OpenedOn["settings"] = {},
): Promise<OpenedOn & { starts: number[] }> {
  const on = { ...freshDisk(), settings };
  const log = await openOn(on);
  await log.ensureTopics([hits]);
  const starts = [on.disk.contentOf(first).length];
  for (const value of values) {
    await appendEach(log, [value]);
    starts.push(on.disk.contentOf(first).length);
  }
  if (end === "closed") await log.close();
  on.disk.kill();
  return { ...on, starts };
}

function flipped(bytes: Buffer, index: number, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[index]! ^= 1 << bit;
  return copy;
}

test("a tail torn at any byte is cut back to the last whole record, kept beside the file, and reported", async () => {
  const { disk, time, starts } = await written("killed");
  const whole = disk.contentOf(first);
  for (let length = starts[0]!; length <= whole.length; length++) {
    disk.overwrite(first, whole.subarray(0, length));
    const log = await openOn({ disk, time });
    const kept = starts.findLastIndex((start) => start <= length);
    expect(await valuesOf(log)).toEqual(values.slice(0, kept));
    const torn = length - starts[kept]!;
    const savedAs = `${first}.cut-${starts[kept]!}`;
    expect(log.statistics().cuts).toEqual(
      torn === 0 ? [] : [{ path: first, position: starts[kept], bytes: torn, savedAs }],
    );
    if (torn > 0) expect(disk.contentOf(savedAs)).toEqual(whole.subarray(starts[kept], length));
    await appendEach(log, ["next"]);
    expect(await valuesOf(log)).toEqual([...values.slice(0, kept), "next"]);
    disk.kill();
  }
});

test("a file shorter than its beginning is damage: a segment is complete before it has its name", async () => {
  const { disk, time, starts } = await written("killed");
  const whole = disk.contentOf(first);
  for (let length = 0; length < starts[0]!; length++) {
    disk.overwrite(first, whole.subarray(0, length));
    expect(await failure(openOn({ disk, time }))).toMatchObject({
      kind: "corrupt",
      place: expect.stringContaining(first) as unknown,
    });
    disk.kill();
  }
});

test("after a clean stop, any flipped bit before the closing mark is refused with file and byte", async () => {
  const { disk, time, starts } = await written("closed");
  const whole = disk.contentOf(first);
  const frames = [0, segmentHeaderBytes, ...starts];
  for (let index = 0; index < whole.length; index++) {
    disk.overwrite(first, flipped(whole, index, index % 8));
    if (index >= starts.at(-1)!) {
      // The mark itself: nothing of value is lost with it, and it is reported.
      const log = await openOn({ disk, time });
      expect(await valuesOf(log)).toEqual(values);
      expect(log.statistics().cuts).toHaveLength(1);
    } else {
      const error = await failure(openOn({ disk, time }));
      const start = frames.findLast((frame) => frame <= index)!;
      expect(error).toMatchObject({ kind: "corrupt", code: "segment_damaged", place: `${first}:${start}` });
    }
    disk.kill();
  }
});

test("after a crash, a flipped bit is refused where a later write proves that it was stored, and cut within the last write", async () => {
  const { disk, time, starts } = await written("killed");
  const whole = disk.contentOf(first);
  for (let index = starts[0]!; index < whole.length; index++) {
    disk.overwrite(first, flipped(whole, index, index % 8));
    if (index < starts.at(-2)!) {
      expect(await failure(openOn({ disk, time }))).toMatchObject({ kind: "corrupt", code: "segment_damaged" });
      expect(disk.contentOf(first)).toEqual(flipped(whole, index, index % 8));
    } else {
      const log = await openOn({ disk, time });
      expect(await valuesOf(log)).toEqual(values.slice(0, -1));
      expect(log.statistics().cuts).toMatchObject([{ path: first, position: starts.at(-2) }]);
    }
    disk.kill();
  }
});

test("a flipped bit in an earlier segment is refused at start while the budget for checking lasts, and when it is read in any case", async () => {
  const { disk, time } = await written("killed", { segmentBytes: 250 });
  const whole = disk.contentOf(first);
  expect(disk.paths().filter((path) => path.startsWith(folder) && path.endsWith(".segment")).length).toBeGreaterThan(2);
  for (let index = 0; index < whole.length; index++) {
    disk.overwrite(first, flipped(whole, index, index % 8));
    expect(await failure(openOn({ disk, time }))).toMatchObject({
      kind: "corrupt",
      place: expect.stringContaining(first) as unknown,
    });
    disk.kill();
  }
  disk.overwrite(first, flipped(whole, whole.length - 1, 0));
  const log = await openOn({ disk, time, settings: { verifyOnOpenBytesMax: 0 } });
  expect(await failure(valuesOf(log))).toMatchObject({
    kind: "corrupt",
    place: expect.stringContaining(first) as unknown,
  });
});

test("a missing file between others is refused; a missing or damaged index is made again", async () => {
  const { disk, time } = await written("killed", { segmentBytes: 250 });
  const segments = disk.paths().filter((path) => path.startsWith(folder) && path.endsWith(".segment"));
  for (const path of disk.paths().filter((path) => path.endsWith(".index"))) {
    const before = disk.contentOf(path);
    disk.overwrite(path, flipped(before, before.length - 1, 3));
    expect(await valuesOf(await openOn({ disk, time }))).toEqual(values);
    expect(disk.contentOf(path)).toEqual(before);
    disk.kill();
    await disk.process().remove(path);
    expect(await valuesOf(await openOn({ disk, time }))).toEqual(values);
    expect(disk.contentOf(path)).toEqual(before);
    disk.kill();
  }
  await disk.process().remove(segments[1]!);
  expect(await failure(openOn({ disk, time }))).toMatchObject({ kind: "corrupt", code: "segments_missing" });
});

test("damaged or missing metadata is refused, whichever byte it is", async () => {
  const { disk, time } = await written("closed");
  const path = "/log/metadata";
  const whole = disk.contentOf(path);
  for (let index = 0; index < whole.length; index++) {
    disk.overwrite(path, flipped(whole, index, 0));
    const error = await failure(openOn({ disk, time }));
    expect(["metadata_damaged", "unknown_format"]).toContain((error as { code?: unknown }).code);
    disk.kill();
  }
  await disk.process().remove(path);
  expect(await failure(openOn({ disk, time }))).toMatchObject({ kind: "corrupt", code: "metadata_missing" });
});

test("a format of another version is refused as such, for segments and metadata", async () => {
  const { disk, time } = await written("closed");
  const segment = Buffer.from(disk.contentOf(first));
  const original = Buffer.from(segment);
  segment.writeUInt16LE(9, 8);
  segment.writeUInt32LE(crc32(segment.subarray(0, 60)), 60);
  disk.overwrite(first, segment);
  expect(await failure(openOn({ disk, time }))).toMatchObject({
    kind: "invalid",
    code: "unknown_format",
    message: expect.stringContaining("format 9") as unknown,
  });
  disk.overwrite(first, original);
  const metadata = disk.contentOf("/log/metadata").toString();
  disk.overwrite("/log/metadata", Buffer.from(metadata.replace("rdg-log-metadata 1", "rdg-log-metadata 2")));
  expect(await failure(openOn({ disk, time }))).toMatchObject({ kind: "invalid", code: "unknown_format" });
});

test("records that imitate frames prove nothing", async () => {
  const on = freshDisk();
  let log = await openOn(on);
  await log.ensureTopics([hits]);
  await appendEach(log, ["x"]);
  // A whole file's frames, with every offset claimed to be durable, as the value of a record in the last write.
  const imitation = on.disk.contentOf(first).subarray(segmentHeaderBytes).toString("latin1");
  await appendEach(log, [imitation.repeat(3)]);
  on.disk.kill();
  const whole = on.disk.contentOf(first);
  on.disk.overwrite(first, whole.subarray(0, whole.length - 8));
  log = await openOn(on);
  expect(await valuesOf(log)).toEqual(["x"]);
});

test("the journal is held to the same rules", async () => {
  const on = freshDisk();
  const log = await openOn(on);
  const output = await log.jobOutput("hit");
  const path = "/log/journal/0000000000000000.segment";
  const starts: number[] = [];
  for (let i = 0; i < 3; i++) {
    starts.push(on.disk.contentOf(path).length);
    await output.commit({ updates: undefined, quarantined: undefined, inputs: [], counters: { n: [i] } });
  }
  on.disk.kill();
  const whole = on.disk.contentOf(path);
  for (let index = 0; index < whole.length; index += 3) {
    on.disk.overwrite(path, flipped(whole, index, 5));
    if (index < starts[2]!) expect(await failure(openOn(on))).toMatchObject({ kind: "corrupt" });
    else expect((await (await openOn(on)).jobOutput("hit")).counters).toEqual({ n: [1] });
    on.disk.kill();
  }
});

test("a tail that jobs have processed is not taken for torn: new records must not get the offsets of lost ones", async () => {
  const { disk, time, starts } = await written("killed");
  const log = await openOn({ disk, time });
  const output = await log.jobOutput("hit");
  const inputs = [{ topic: "events.hit", partition: 0, offset: values.length - 2 }];
  await output.commit({ updates: undefined, quarantined: undefined, inputs, counters: {} });
  disk.kill();
  const whole = disk.contentOf(first);
  for (let length = starts[0]!; length < whole.length; length++) {
    disk.overwrite(first, whole.subarray(0, length));
    const kept = starts.findLastIndex((start) => start <= length);
    if (kept < values.length - 1) {
      const place = `${first}:${starts[kept]!}`;
      expect(await failure(openOn({ disk, time }))).toMatchObject({ kind: "corrupt", code: "segment_damaged", place });
      expect(disk.contentOf(first)).toEqual(whole.subarray(0, length));
    } else {
      expect(await valuesOf(await openOn({ disk, time }))).toEqual(values.slice(0, kept));
    }
    disk.kill();
  }
});
