// The whole embedded line held to its oracles: random definitions and events in, the graph, its traversals and its counters out, restarts in between.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openEmbeddedRegistry } from "../../src/schemas/embedded/registry.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import { firstSeed } from "../first-seed.ts";
import { RandomLine } from "./random-line.ts";

// LINE_SEED=n runs the one that failed, LINE_RUNS=n as many as wanted; without them as many as fit into some seconds.
const only = process.env["LINE_SEED"];
const runs = Number(process.env["LINE_RUNS"] ?? (only === undefined ? 300 : 1));
const patienceMs = process.env["LINE_RUNS"] === undefined ? 10_000 : Infinity;
const runsMin = 10;
const first = firstSeed("LINE_SEED");

let folder = "";
let registry: SchemaRegistry;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-line-"));
  registry = await openEmbeddedRegistry({ folder: join(folder, "schemas") });
  await registry.setCompatibility("NONE");
});

afterAll(async () => {
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});

test("events in, graph out: what the oracles say", { timeout: 3_600_000 }, async () => {
  const startedMs = performance.now();
  let done = 0;
  for (; done < runs && (done < runsMin || performance.now() - startedMs < patienceMs); done++) {
    const seed = first + done;
    const own = join(folder, String(seed));
    try {
      await new RandomLine(seed, registry, own).run();
    } catch (error) {
      throw new Error(`LINE_SEED=${seed} npx vitest run test/line: ${String(error)}`, { cause: error });
    }
    await rm(own, { recursive: true, force: true });
  }
  expect(done).toBeGreaterThan(0);
});
