// The canonical export is a property of the graph: not of the store that holds it, nor of the order in which updates came, nor of the memory there was to sort.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Clock, systemTimers } from "../../src/core/clock.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import type { Update } from "../../src/model/update/element.ts";
import {
  anyUpdate,
  baseMs,
  conformanceGraph,
  frameOf,
  TestClock,
  ttlMs,
  upsertEdge,
  upsertNode,
} from "../../src/store/conformance-graph.ts";
import { openEmbeddedStore } from "../../src/store/embedded/open.ts";
import type { ScannedElement, Store } from "../../src/store/port.ts";
import { referenceStore } from "../../src/testing/reference-store.ts";
import { feed, nowMs, scenarios } from "../query/random-graph.ts";
import { decodeLine } from "./decode.ts";
import { canonicalOf, linesOf, partsOf } from "./exported.ts";

let folder = "";
let opened = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-canonical-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const settings = { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: Number.MAX_SAFE_INTEGER };

function embedded(model: GraphModel, clock: Clock): Promise<Store> {
  return openEmbeddedStore({ folder: join(folder, String(opened++)), model, clock, timers: systemTimers, settings });
}

async function applyEach(store: Store, updates: readonly Update[]): Promise<void> {
  for (const [offset, update] of updates.entries()) await store.apply(frameOf(offset, [update]));
}

async function scanned(store: Store): Promise<ScannedElement[]> {
  const elements: ScannedElement[] = [];
  for await (const element of store.scan()) elements.push(element);
  return elements;
}

/** As the port allows: any order. */
const inOrder = (elements: readonly ScannedElement[]): ScannedElement[] =>
  elements.toSorted((a, b) => Buffer.compare(bytesOf(a), bytesOf(b)));
const bytesOf = (element: ScannedElement): Buffer =>
  Buffer.from(
    JSON.stringify(
      element.kind === "node" ? [0, element.type, element.id] : [1, element.type, element.from, element.to],
    ),
  );

describe("equal graphs", () => {
  test("have equal exports from the embedded and the reference store, for definitions of any kind", async () => {
    const clock: Clock = { now: () => nowMs, monotonicMs: () => 0 };
    await fc.assert(
      fc.asyncProperty(scenarios, async (scenario) => {
        const { model } = scenario;
        const [one, other] = [await embedded(model, clock), referenceStore({ model, clock })];
        await feed(one, scenario);
        await feed(other, scenario);
        expect(await canonicalOf({ model, store: one, clock })).toBe(await canonicalOf({ model, store: other, clock }));
        await one.close();
      }),
      { numRuns: 100 },
    );
  });

  test("have equal exports whatever the order of updates, with ttl and removals, sorted in memory or in many files", async () => {
    const updates = fc.array(anyUpdate(true), { maxLength: 60 });
    const shuffled = updates.chain((list) =>
      fc.record({
        list: fc.constant(list),
        other: fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(shuffled, fc.integer({ min: -2 * ttlMs, max: 3 * ttlMs }), async ({ list, other }, ahead) => {
        const clock = new TestClock();
        const model = conformanceGraph;
        const [one, two] = [await embedded(model, clock), referenceStore({ model, clock })];
        await applyEach(one, list);
        await applyEach(two, other);
        clock.nowMs = baseMs + ahead;
        const exported = await canonicalOf({ model, store: one, clock });
        expect(await canonicalOf({ model, store: two, clock }, { runBytesMax: 200 })).toBe(exported);
        await one.close();
      }),
      { numRuns: 60 },
    );
  });
});

test("lines say what the store holds, in the order of the bytes of their ids", async () => {
  const clock: Clock = { now: () => nowMs, monotonicMs: () => 0 };
  await fc.assert(
    fc.asyncProperty(scenarios, async (scenario) => {
      const { model } = scenario;
      const store = referenceStore({ model, clock });
      await feed(store, scenario);
      const lines = linesOf(await partsOf(Buffer.from(await canonicalOf({ model, store, clock }))));
      const decoded = lines.map((line) => decodeLine(model, line));
      expect(inOrder(decoded)).toEqual(inOrder(await scanned(store)));
      for (const [i, line] of lines.slice(1).entries()) {
        expect(Buffer.compare(orderOf(lines[i]!), orderOf(line))).toBeLessThan(0);
      }
    }),
    { numRuns: 100 },
  );
});

/** Kind, type and ids, each closed by a byte that no UTF-8 has and that comes before all others. */
function orderOf(line: string): Buffer {
  const { kind, type, id, from, to } = JSON.parse(line) as Record<"kind" | "type" | "id" | "from" | "to", string>;
  const parts = kind === "node" ? ["0", type, id] : ["1", type, from, to];
  const wide = parts.map((part) =>
    Buffer.from(Uint16Array.from(Buffer.from(part), (byte) => byte + 1).buffer).swap16(),
  );
  return Buffer.concat(wide.flatMap((part) => [part, Buffer.alloc(2)]));
}

test("ids of any kind have their place", async () => {
  const clock = new TestClock();
  const model = conformanceGraph;
  const store = await embedded(model, clock);
  const ids = [
    "a",
    "a\0",
    "a\0b",
    "a\u0001",
    "b",
    "\0",
    "__proto__",
    "é",
    "\u{1f600}",
    "\uffee",
    '"',
    "\\",
    "\n",
    "ab",
  ];
  const other = ids.toReversed().map((id) => upsertNode("person", id, baseMs));
  await applyEach(store, [...other, upsertEdge("knows", "a", "\0b", baseMs), upsertEdge("knows", "a\0", "b", baseMs)]);
  const lines = linesOf(await partsOf(Buffer.from(await canonicalOf({ model, store, clock }, { runBytesMax: 300 }))));
  const elements = lines.map((line) => JSON.parse(line) as { id?: string; from?: string });
  const expected = ids.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(elements.flatMap(({ id }) => id ?? [])).toEqual(expected);
  expect(elements.flatMap(({ from }) => from ?? [])).toEqual(["a", "a\0"]);
  await store.close();
});

describe("one moment", () => {
  test("decides on what is expired, also on what expires while the store is scanned", async () => {
    const clock = new TestClock();
    const model = conformanceGraph;
    const store = await embedded(model, clock);
    await applyEach(store, [upsertNode("session", "s", baseMs), upsertNode("person", "p", baseMs)]);
    const slow: Store = new Proxy(store, {
      get(target, name) {
        if (name !== "scan") return (Reflect.get(target, name) as () => unknown).bind(target);
        return async function* () {
          yield* target.scan();
          clock.nowMs = baseMs + ttlMs;
        };
      },
    });
    expect((await canonicalOf({ model, store, clock })).split("\n")).toHaveLength(5);
    expect((await canonicalOf({ model, store: slow, clock })).split("\n")).toHaveLength(4);
    await store.close();
  });

  test("may lie ahead, so that two exports can agree on it; not behind", async () => {
    const clock = new TestClock();
    const model = conformanceGraph;
    const store = await embedded(model, clock);
    await applyEach(store, [upsertNode("session", "s", baseMs)]);
    const of = { model, store, clock };
    expect(await canonicalOf(of, { asOfMs: baseMs + ttlMs - 1 })).toContain('"id":"s"');
    expect(await canonicalOf(of, { asOfMs: baseMs + ttlMs })).not.toContain('"id":"s"');
    await expect(canonicalOf(of, { asOfMs: baseMs - 1 })).rejects.toMatchObject({ code: "as_of_too_early" });
    await store.close();
  });
});

describe("a file", () => {
  let bytes: Buffer;
  beforeAll(async () => {
    const clock = new TestClock();
    const store = referenceStore({ model: conformanceGraph, clock });
    await applyEach(store, [upsertNode("person", "é", baseMs, { name: "n" }), upsertEdge("owns", "é", "x", baseMs)]);
    bytes = Buffer.from(await canonicalOf({ model: conformanceGraph, store, clock }));
  });

  test("is read whole, in pieces of whatever size", async () => {
    for (const size of [1, 7, 64, 10_000]) {
      const parts = await partsOf(bytes, size);
      expect(linesOf(parts)).toHaveLength(2);
      expect(parts.at(0)).toMatchObject({ kind: "header", header: { graph: "conformance", order: "canonical" } });
      expect(parts.at(-1)).toMatchObject({ kind: "end", end: { nodes: { person: 1 }, edges: { owns: 1 } } });
    }
  });

  test("that was cut anywhere is noticed", async () => {
    for (let length = 0; length < bytes.length; length++) {
      await expect(partsOf(bytes.subarray(0, length), 50)).rejects.toMatchObject({ kind: "corrupt" });
    }
  });

  test("of which a byte changed is noticed", async () => {
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      await expect(partsOf(changed), `byte ${at}`).rejects.toMatchObject({
        kind: expect.toBeOneOf(["corrupt", "invalid"]) as string,
      });
    }
  });

  test("to which something was added is noticed", async () => {
    await expect(partsOf(Buffer.concat([bytes, bytes]))).rejects.toMatchObject({ code: "export_damaged" });
    await expect(partsOf(Buffer.concat([bytes, bytes]), 10)).rejects.toMatchObject({ code: "export_damaged" });
  });
});

test("temporary files go, whatever happens", async () => {
  const own = await mkdtemp(join(folder, "temp-"));
  const clock = new TestClock();
  const store = referenceStore({ model: conformanceGraph, clock });
  await applyEach(
    store,
    Array.from({ length: 200 }, (_, i) => upsertNode("person", `p${i}`, baseMs)),
  );
  const of = { model: conformanceGraph, store, clock };
  await canonicalOf(of, { folder: own, runBytesMax: 1_000 });
  expect(await readdir(own)).toEqual([]);
  await expect(canonicalOf(of, { folder: own, runBytesMax: 1_000, asOfMs: 0 })).rejects.toThrow("as of");
  expect(await readdir(own)).toEqual([]);
  await expect(canonicalOf(of, { folder: join(own, "none"), runBytesMax: 1_000 })).rejects.toMatchObject({
    code: "temporary_file_failed",
  });
});
