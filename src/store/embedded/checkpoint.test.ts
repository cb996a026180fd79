// Checkpoints: whatever happens while one is written or to its files, a restart shows the graph as of one frame, or says why not.
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemTimers } from "../../core/clock.ts";
import type { RdgError } from "../../core/errors.ts";
import { systemTurns } from "../../core/turns.ts";
import type { GraphModel } from "../../model/definition.ts";
import type { Update } from "../../model/update/element.ts";
import {
  anyUpdate,
  baseMs,
  conformanceGraph,
  differencesOf,
  frameOf,
  listingOf,
  meantBy,
  shownBy,
  TestClock,
  typesOf,
  upsertEdge,
  upsertNode,
} from "../conformance-graph.ts";
import { manifestName, pagesName } from "./manifest.ts";
import { type EmbeddedStoreOptions, openEmbeddedStore } from "./open.ts";
import type { EmbeddedStore } from "./store.ts";

let folder = "";
let notices: RdgError[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-store-"));
  notices = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const never = Number.MAX_SAFE_INTEGER;

function openAt(path: string, options: Partial<EmbeddedStoreOptions> = {}): Promise<EmbeddedStore> {
  return openEmbeddedStore({
    folder: path,
    model: conformanceGraph,
    clock: new TestClock(),
    timers: systemTimers,
    settings: { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: never },
    notice: (error) => notices.push(error),
    ...options,
  });
}

async function appliedTo(store: EmbeddedStore): Promise<number> {
  return (await store.applied()).sources.get("journal") ?? -1;
}

/** Frames whose updates count, so that one applied twice or half shows. */
const bigFrames = Array.from({ length: 12 }, (_, offset) =>
  frameOf(
    offset,
    Array.from({ length: 400 }, (_, i): Update[] => {
      const person = `p${(i * 7 + offset * 13) % 900}`;
      return [
        upsertNode("person", person, baseMs + offset, {
          visits: 1,
          name: `name ${offset}`.repeat(20),
          tags: [`t${offset % 3}`],
        }),
        upsertEdge("knows", "hub", person, baseMs + ((i * 31) % 50), { times: 1, weight: i }),
        upsertEdge("owns", person, `t${i % 20}`, baseMs + i),
      ];
    }).flat(),
  ),
);

async function stateOf(store: EmbeddedStore): Promise<unknown> {
  expect(await differencesOf(store)).toEqual([]);
  return { shown: await shownBy(store), hub: await listingOf(store, typesOf.knows, "out", "hub") };
}

/** The state after each number of frames, by a store that never restarts. */
async function statesByFrames(): Promise<unknown[]> {
  const store = await openAt(join(folder, "truth"));
  const states = [await stateOf(store)];
  for (const frame of bigFrames) {
    await store.apply(frame);
    states.push(await stateOf(store));
  }
  return states;
}

test("after restarts and replays the graph is what the updates mean", async () => {
  const step = fc.record({
    updates: fc.array(anyUpdate(), { minLength: 1, maxLength: 12 }),
    next: fc.constantFrom("nothing", "checkpoint", "crash", "close"),
  });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
      const path = join(folder, String(run++));
      const settings = { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: 1e9 };
      let store = await openAt(path, { settings });
      for (const [last, { next }] of steps.entries()) {
        const replayFrom = (await appliedTo(store)) + 1;
        for (let offset = replayFrom; offset <= last; offset++)
          await store.apply(frameOf(offset, steps[offset]!.updates));
        if (next === "checkpoint") await store.checkpoint();
        if (next === "close") await store.close();
        if (next === "close" || next === "crash") store = await openAt(path, { settings });
      }
      for (let offset = (await appliedTo(store)) + 1; offset < steps.length; offset++) {
        await store.apply(frameOf(offset, steps[offset]!.updates));
      }
      expect(await shownBy(store)).toEqual(
        meantBy(
          steps.flatMap(({ updates }) => updates),
          baseMs,
        ),
      );
      expect(await differencesOf(store)).toEqual([]);
      expect(notices).toEqual([]);
    }),
    { numRuns: 30 },
  );
});

test("frames applied while a checkpoint is written are not in it, and nothing of it is torn", async () => {
  const states = await statesByFrames();
  const store = await openAt(join(folder, "store"));
  for (const frame of bigFrames.slice(0, 5)) await store.apply(frame);
  const written = store.checkpoint();
  for (const frame of bigFrames.slice(5)) await store.apply(frame);
  await written;
  expect(await stateOf(store)).toEqual(states[12]);
  const restarted = await openAt(join(folder, "store"));
  expect(await appliedTo(restarted)).toBe(4);
  expect(await stateOf(restarted)).toEqual(states[5]);
  for (const frame of bigFrames) await restarted.apply(frame);
  expect(await stateOf(restarted)).toEqual(states[12]);
});

test("a crash at any moment of writing leaves the previous or the new checkpoint", async () => {
  const states = await statesByFrames();
  const path = join(folder, "store");
  const store = await openAt(path);
  for (const frame of bigFrames.slice(0, 3)) await store.apply(frame);
  await store.checkpoint();
  for (const frame of bigFrames.slice(3, 6)) await store.apply(frame);
  const moment = { isWriting: true };
  const written = store.checkpoint().finally(() => {
    moment.isWriting = false;
  });
  const copies: string[] = [];
  do {
    const copy = join(folder, `copy-${copies.length}`);
    await mkdir(copy);
    for (const name of await readdir(path)) await copyFile(join(path, name), join(copy, name)).catch(() => undefined);
    copies.push(copy);
  } while (moment.isWriting);
  await written;
  for (const copy of copies) {
    const restarted = await openAt(copy);
    const applied = await appliedTo(restarted);
    expect([2, 5]).toContain(applied);
    expect(await stateOf(restarted)).toEqual(states[applied + 1]);
  }
});

test("a damaged checkpoint is named and passed over for the one before, and refused when that is damaged too", async () => {
  const states = await statesByFrames();
  const path = join(folder, "store");
  const store = await openAt(path);
  for (const [i, frame] of bigFrames.slice(0, 3).entries()) {
    await store.apply(frame);
    await store.checkpoint();
    expect(await readdir(path)).toHaveLength(Math.min(i + 1, 2) * 2);
  }
  expect(store.neededAfter).toEqual(new Map([["journal", 1]]));
  await flipByte(join(path, pagesName(3)), 40_000);
  const restarted = await openAt(path);
  expect(await stateOf(restarted)).toEqual(states[2]);
  expect(notices).toMatchObject([{ code: "checkpoint_damaged", place: join(path, pagesName(3)) }]);
  // The damaged one is none of the two that are kept.
  await restarted.apply(bigFrames[2]!);
  await restarted.checkpoint();
  const kept = [2, 4].flatMap((number) => [manifestName(number), pagesName(number)]);
  expect((await readdir(path)).sort()).toEqual(kept.sort());
  await flipByte(join(path, pagesName(4)), 40_000);
  await flipByte(join(path, manifestName(2)), 300);
  await expect(openAt(path)).rejects.toMatchObject({
    kind: "corrupt",
    code: "checkpoint_damaged",
    place: join(path, manifestName(2)),
  });
});

test("no byte of a checkpoint can change unnoticed", async () => {
  const path = join(folder, "store");
  const store = await openAt(path);
  await store.apply(
    frameOf(0, [upsertNode("person", "a", baseMs, { name: "A", visits: 3 }), upsertEdge("owns", "a", "t", baseMs)]),
  );
  await store.checkpoint();
  for (const name of [manifestName(1), pagesName(1)]) {
    const { length } = await readFile(join(path, name));
    await fc.assert(
      fc.asyncProperty(fc.nat(length - 1), async (place) => {
        await flipByte(join(path, name), place);
        await expect(openAt(path)).rejects.toMatchObject({ kind: "corrupt" });
        await flipByte(join(path, name), place);
      }),
      { numRuns: 25 },
    );
  }
  expect((await shownBy(await openAt(path))).size).toBe(2);
});

test("a checkpoint of another definition is not used, and the caller is told", async () => {
  const path = join(folder, "store");
  const store = await openAt(path);
  await store.apply(frameOf(0, [upsertNode("person", "a", baseMs)]));
  await store.checkpoint();
  const [first, ...others] = conformanceGraph.nodes;
  const model: GraphModel = {
    ...conformanceGraph,
    nodes: [{ ...first!, properties: first!.properties.slice(1) }, ...others],
  };
  const restarted = await openAt(path, { model });
  expect(await appliedTo(restarted)).toBe(-1);
  expect(notices).toMatchObject([{ code: "checkpoint_of_other_layout" }]);
  await restarted.checkpoint();
  expect((await (await openAt(path, { model })).applied()).sources).toEqual(new Map());
});

test("a checkpoint of a later format is refused", async () => {
  const store = await openAt(join(folder, "store"));
  await store.checkpoint();
  const path = join(folder, "store", manifestName(1));
  await writeFile(path, (await readFile(path, "utf8")).replace(" 1 ", " 2 "));
  await expect(openAt(join(folder, "store"))).rejects.toMatchObject({
    kind: "corrupt",
    code: "checkpoint_format_unknown",
  });
});

test("debt brings a checkpoint by itself; closing writes what is left, or nothing when there is nothing new", async () => {
  const path = join(folder, "store");
  const settings = { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: 500 };
  const store = await openAt(path, { settings });
  const names = async (): Promise<string[]> => (await readdir(path)).filter((name) => name.endsWith(".json"));
  await store.apply(
    frameOf(
      0,
      [1, 2, 3].map((i) => upsertNode("person", `a${i}`, baseMs)),
    ),
  );
  expect(await names()).toEqual([]);
  await store.apply(
    frameOf(
      1,
      [1, 2, 3].map((i) => upsertNode("person", `b${i}`, baseMs)),
    ),
  );
  while ((await names()).length === 0) await systemTurns.next();
  await store.apply(frameOf(2, [upsertNode("person", "c", baseMs)]));
  await store.close();
  expect(await names()).toEqual([manifestName(1), manifestName(2)]);
  await (await openAt(path, { settings })).close();
  expect(await names()).toEqual([manifestName(1), manifestName(2)]);
});

test("a checkpoint that cannot be written is told, and the store goes on", async () => {
  const path = join(folder, "store");
  const store = await openAt(path, { settings: { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: 100 } });
  await rm(path, { recursive: true });
  await store.apply(frameOf(0, [upsertNode("person", "a", baseMs)]));
  while (notices.length === 0) await systemTurns.next();
  expect(notices).toMatchObject([{ kind: "unavailable", code: "checkpoint_failed" }]);
  await mkdir(path);
  await store.apply(frameOf(1, [upsertNode("person", "b", baseMs)]));
  await store.close();
  expect((await shownBy(await openAt(path))).size).toBe(2);
});

test("applying that may copy nothing waits for the checkpoint, and both come to their end", async () => {
  const states = await statesByFrames();
  const settings = { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: never, checkpointCopiesMaxBytes: 1 };
  const store = await openAt(join(folder, "store"), { settings });
  await Promise.all(bigFrames.map((frame) => Promise.all([store.apply(frame), store.checkpoint()])));
  expect(await stateOf(store)).toEqual(states[12]);
  const restarted = await openAt(join(folder, "store"));
  expect(await stateOf(restarted)).toEqual(states[12]);
});

async function flipByte(path: string, place: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[place]! ^= 1;
  await writeFile(path, bytes);
}
