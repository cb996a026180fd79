// The external sort held to a sort in memory: any sizes of runs, any numbers of files merged at once, equal keys in the order in which they came.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExternalSort } from "./external-sort.ts";
import type { SortRecord } from "./run-file.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-sort-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const records = fc.array(
  fc.record({
    key: fc
      .array(fc.constantFrom(0, 1, 97, 98, 255), { maxLength: 3 })
      .map((bytes) => Buffer.from(bytes).toString("latin1")),
    line: fc.string({ unit: "grapheme", maxLength: 20 }),
    overAtMs: fc.constantFrom(Infinity, 0, 1.5e12),
  }),
  { maxLength: 200, size: "max" },
);

function sortedInMemory(list: readonly SortRecord[]): SortRecord[] {
  return list.toSorted((a, b) => Buffer.compare(Buffer.from(a.key, "latin1"), Buffer.from(b.key, "latin1")));
}

test("records come as from a sort in memory", async () => {
  let files = 0;
  await fc.assert(
    fc.asyncProperty(
      records,
      fc.integer({ min: 1, max: 2_000 }),
      fc.integer({ min: 2, max: 5 }),
      async (list, runBytesMax, fanInMax) => {
        const sort = new ExternalSort({ folder, runBytesMax, fanInMax });
        for (const record of list) sort.add(record);
        expect([...sort.sorted()]).toEqual(sortedInMemory(list));
        files = Math.max(files, sort.files);
        sort.close();
        expect(await readdir(folder)).toEqual([]);
      },
    ),
    { numRuns: 100 },
  );
  expect(files).toBeGreaterThan(50);
});

test("a record may be larger than the buffers", () => {
  const sort = new ExternalSort({ folder, runBytesMax: 1_000 });
  const list = ["c", "a", "b"].map((key) => ({ key, line: key.repeat(3_000_000), overAtMs: Infinity }));
  for (const record of list) sort.add(record);
  expect([...sort.sorted()].map(({ key, line }) => [key, line.length, line[0]])).toEqual([
    ["a", 3_000_000, "a"],
    ["b", 3_000_000, "b"],
    ["c", 3_000_000, "c"],
  ]);
  sort.close();
});

test("what fits into memory makes no file", async () => {
  const sort = new ExternalSort({ folder });
  sort.add({ key: "a", line: "", overAtMs: 0 });
  expect([...sort.sorted()]).toHaveLength(1);
  expect([sort.files, await readdir(folder)]).toEqual([0, []]);
});

test("what is given up half way leaves nothing", async () => {
  const sort = new ExternalSort({ folder, runBytesMax: 500 });
  for (let i = 0; i < 100; i++) sort.add({ key: String(i), line: "x", overAtMs: 0 });
  expect(sort.sorted().next().done).toBe(false);
  sort.close();
  expect(await readdir(folder)).toEqual([]);
});
