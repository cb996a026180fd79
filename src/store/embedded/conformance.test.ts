import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { systemTimers } from "../../core/clock.ts";
import { storeConformance } from "../conformance.ts";
import { openEmbeddedStore } from "./open.ts";

let folder = "";
let opened = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-store-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const settings = { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: Number.MAX_SAFE_INTEGER };

storeConformance("embedded", (model, clock) =>
  openEmbeddedStore({ folder: join(folder, String(opened++)), model, clock, timers: systemTimers, settings }),
);
