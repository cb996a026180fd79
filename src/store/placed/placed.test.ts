// A graph on several stores keeps the store's contract: with edges beside their nodes, away from one end, and away from both.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { type Clock, systemTimers } from "../../core/clock.ts";
import type { GraphModel } from "../../model/definition.ts";
import { storeConformance } from "../conformance.ts";
import { openEmbeddedStore } from "../embedded/open.ts";
import type { Store } from "../port.ts";
import { partsOf } from "./placement.ts";
import { keepingPart } from "./project.ts";
import { placedStore } from "./store.ts";

let folder = "";
let opened = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-placed-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const settings = { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: Number.MAX_SAFE_INTEGER };

const opening = (model: GraphModel, clock: Clock): Promise<Store> =>
  openEmbeddedStore({ folder: join(folder, String(opened++)), model, clock, timers: systemTimers, settings });

async function placed(model: GraphModel, clock: Clock, elsewhere: readonly string[]): Promise<Store> {
  const on = <T extends { readonly name: string }>(type: T): T =>
    elsewhere.includes(type.name) ? { ...type, store: "other" } : type;
  const whole = { ...model, nodes: model.nodes.map(on), edges: model.edges.map(on) };
  const parts = await Promise.all(
    partsOf(whole).map(async (part) => ({
      part,
      store: keepingPart(await opening(part.model, clock), part),
    })),
  );
  return placedStore(whole, parts);
}

storeConformance("edges away from their nodes", (model, clock) => placed(model, clock, ["knows", "owns", "uses"]), {
  runs: 15,
});
storeConformance("edges away from one of their ends", (model, clock) => placed(model, clock, ["thing", "session"]), {
  runs: 15,
});
