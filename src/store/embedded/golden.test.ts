// The bytes of a checkpoint, pinned: format 1 is what test/golden/store-checkpoint holds, and it stays readable.
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemTimers } from "../../core/clock.ts";
import type { GraphModel } from "../../model/definition.ts";
import {
  remove,
  TestClock,
  baseMs,
  conformanceGraph,
  differencesOf,
  frameOf,
  meantBy,
  shownBy,
  upsertEdge,
  upsertNode,
} from "../conformance-graph.ts";
import { manifestName, pagesName } from "./manifest.ts";
import { openEmbeddedStore } from "./open.ts";
import type { EmbeddedStore } from "./store.ts";

const golden = new URL("../../../test/golden/store-checkpoint/", import.meta.url);
const goldenManifest = new URL("manifest.json", golden);
const goldenPages = new URL("pages.bin.gz", golden);

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-store-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** One node type with every form of property, one edge type. */
const model: GraphModel = {
  ...conformanceGraph,
  nodes: conformanceGraph.nodes.slice(0, 1),
  edges: conformanceGraph.edges.slice(0, 1),
};

const every = {
  name: "A",
  country: null,
  age: 40,
  score: -0.5,
  active: true,
  kind: "game",
  balance: 2n ** 60n,
  smallest: -7,
  photo: new Uint8Array([0, 255]),
  tags: ["x", "y", "z", "w"],
  numbers: [1, null],
  visits: 3,
};
const updates = [
  upsertNode("person", "a", baseMs, every),
  upsertNode("person", "gone", baseMs),
  remove({ kind: "node", type: "person", id: "gone" }, baseMs + 1),
  upsertEdge("knows", "a", "b", baseMs, { weight: 0.25, since: baseMs, times: 2, note: "n", places: ["p"] }),
  upsertEdge("knows", "a", "c", baseMs + 1),
  remove({ kind: "edge", type: "knows", from: "a", to: "d" }, baseMs),
  ...Array.from({ length: 260 }, (_, i) => upsertEdge("knows", "hub", `n${i % 50}${i}`, baseMs + (i % 9))),
];

function openAt(path: string): Promise<EmbeddedStore> {
  const settings = { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: Number.MAX_SAFE_INTEGER };
  return openEmbeddedStore({ folder: path, model, clock: new TestClock(), timers: systemTimers, settings });
}

test("a checkpoint is written byte by byte as before", async () => {
  const store = await openAt(folder);
  await store.apply(frameOf(3, updates, { model, inputs: [{ topic: "events.hit", partition: 0, offset: 9 }] }));
  await store.checkpoint();
  const [manifest, pages] = [await readFile(join(folder, manifestName(1))), await readFile(join(folder, pagesName(1)))];
  if (process.env["RDG_STORE_GOLDEN"] === "1") {
    await mkdir(golden, { recursive: true });
    await writeFile(goldenManifest, manifest);
    await writeFile(goldenPages, gzipSync(pages, { level: 9 }));
  }
  expect(manifest.toString()).toBe(await readFile(goldenManifest, "utf8"));
  expect(pages.equals(gunzipSync(await readFile(goldenPages)))).toBe(true);
});

test("a checkpoint of format 1 is read", async () => {
  await copyFile(goldenManifest, join(folder, manifestName(1)));
  await writeFile(join(folder, pagesName(1)), gunzipSync(await readFile(goldenPages)));
  const store = await openAt(folder);
  expect(await shownBy(store, model)).toEqual(meantBy(updates, baseMs, model));
  expect(await differencesOf(store)).toEqual([]);
  const { sources, inputs } = await store.applied();
  expect([sources.get("journal"), inputs]).toEqual([3, [{ topic: "events.hit", partition: 0, offset: 9 }]]);
});
