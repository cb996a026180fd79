// Damaged files of the registry, the store and the composition: each is refused as damaged, or what it held is there; never anything else.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { alignWithFolder } from "../../src/compose/definition-file.ts";
import { systemTimers } from "../../src/core/clock.ts";
import { RdgError } from "../../src/core/errors.ts";
import { openEmbeddedRegistry } from "../../src/schemas/embedded/registry.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import {
  baseMs,
  conformanceGraph,
  differencesOf,
  frameOf,
  shownBy,
  TestClock,
  upsertEdge,
  upsertNode,
} from "../../src/store/conformance-graph.ts";
import { type EmbeddedStoreOptions, openEmbeddedStore } from "../../src/store/embedded/open.ts";
import type { EmbeddedStore } from "../../src/store/embedded/store.ts";
import graph from "../bad-input/graph.ts";
import { type Damage, damage, damaged } from "./damage.ts";
import { rounds } from "./rounds.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-fuzz-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Files = ReadonlyMap<string, Buffer>;

async function filesOf(path: string): Promise<Files> {
  const names = (await readdir(path)).toSorted((a, b) => (a < b ? -1 : 1));
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(path, name))] as const)));
}

/** A fresh folder with these files, some of them damaged. */
async function damagedFolder(files: Files, damages: readonly (readonly [file: number, Damage])[]): Promise<string> {
  const path = join(folder, "damaged");
  await rm(path, { recursive: true, force: true });
  await mkdir(path);
  const now = new Map(files);
  const names = [...files.keys()];
  for (const [file, change] of damages) {
    const name = names[file % names.length]!;
    now.set(name, damaged(now.get(name)!, change));
  }
  for (const [name, bytes] of now) await writeFile(join(path, name), bytes);
  return path;
}

const filesDamaged = fc.array(fc.tuple(fc.nat(), damage), { minLength: 1, maxLength: 2 });

function expectRefusal(error: unknown, codes: readonly string[]): void {
  expect(error).toBeInstanceOf(RdgError);
  expect(codes).toContain((error as RdgError).code);
}

async function knownBy(registry: SchemaRegistry): Promise<string[]> {
  const known = [`global ${await registry.compatibility()}`];
  for (const subject of await registry.subjects({ deleted: true })) {
    for (const version of await registry.versions(subject, { deleted: true })) {
      const { id, schema } = await registry.version(subject, version, { deleted: true });
      known.push(`${subject} ${version} ${id} ${schema}`);
    }
  }
  return known;
}

test("the registry's file: what is known was registered, from the first on", async () => {
  const path = join(folder, "registry");
  const registry = await openEmbeddedRegistry({ folder: path });
  const states = [await knownBy(registry)];
  const note = async (change: Promise<unknown>): Promise<void> => {
    await change;
    states.push(await knownBy(registry));
  };
  const schema = (fields: number): string =>
    JSON.stringify({
      type: "record",
      name: "r",
      fields: Array.from({ length: fields }, (_, i) => ({ name: `f${i}`, type: "int", default: i })),
    });
  for (let i = 1; i < 5; i++) await note(registry.register(i % 2 === 0 ? "a" : "b", schema(i)));
  await note(registry.setCompatibility("FULL"));
  await note(registry.deleteVersion("a", 1, { permanent: false }));
  await note(registry.register("__proto__", schema(1)));
  await registry.close();
  const files = await filesOf(path);
  const property = fc.asyncProperty(filesDamaged, async (damages) => {
    let opened: SchemaRegistry;
    try {
      opened = await openEmbeddedRegistry({ folder: await damagedFolder(files, damages) });
    } catch (error) {
      return expectRefusal(error, ["registry_damaged", "registry_format_unknown"]);
    }
    expect(states).toContainEqual(await knownBy(opened));
    await opened.register("next", '"int"');
    await opened.close();
  });
  await fc.assert(property, { numRuns: rounds(60) });
});

function openStore(path: string, more: Partial<EmbeddedStoreOptions> = {}): Promise<EmbeddedStore> {
  const settings = { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: Number.MAX_SAFE_INTEGER };
  return openEmbeddedStore({
    folder: path,
    model: conformanceGraph,
    clock: new TestClock(),
    timers: systemTimers,
    settings,
    ...more,
  });
}

test("checkpoints: the newest intact one is served, whole", async () => {
  const path = join(folder, "store");
  const store = await openStore(path);
  const states: ReadonlyMap<string, unknown>[] = [await shownBy(store)];
  for (let frame = 0; frame < 3; frame++) {
    const people = Array.from({ length: 20 }, (_, i) => `p${i * (frame + 1)}`);
    await store.apply(
      frameOf(
        frame,
        people.flatMap((person) => [
          upsertNode("person", person, baseMs + frame, { visits: 1, name: `name ${frame}`, tags: [`t${frame}`] }),
          upsertEdge("knows", "hub", person, baseMs + frame, { times: 1 }),
        ]),
      ),
    );
    await store.checkpoint();
    states.push(await shownBy(store));
  }
  await store.close();
  const files = await filesOf(path);
  const property = fc.asyncProperty(filesDamaged, async (damages) => {
    const notices: string[] = [];
    let opened: EmbeddedStore;
    try {
      const notice = (error: RdgError): void => void notices.push(error.code);
      opened = await openStore(await damagedFolder(files, damages), { notice });
    } catch (error) {
      return expectRefusal(error, ["checkpoint_damaged", "checkpoint_format_unknown"]);
    }
    const shown = await shownBy(opened);
    const found = states.findIndex((state) => state.size === shown.size);
    expect(shown).toEqual(states[found]);
    expect(found === 3 || notices.length > 0).toBe(true);
    expect(await differencesOf(opened)).toEqual([]);
    await opened.close();
  });
  await fc.assert(property, { numRuns: rounds(40) });
});

test("the stored definition: it is what was stored, or refused", async () => {
  const path = join(folder, "definition");
  await mkdir(path);
  const { model } = await alignWithFolder(graph, path);
  const files = await filesOf(path);
  const property = fc.asyncProperty(damage, async (change) => {
    const at = await damagedFolder(files, [[0, change]]);
    try {
      expect((await alignWithFolder(graph, at)).model).toEqual(model);
    } catch (error) {
      expectRefusal(error, ["bad_definition_file", "unknown_format"]);
    }
  });
  await fc.assert(property, { numRuns: rounds(150) });
});
