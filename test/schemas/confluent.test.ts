// The client of an external registry keeps the registry's contract over RDG's own HTTP API.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serveRegistry } from "../../scripts/cluster/registry.ts";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { openConfluentRegistry } from "../../src/schemas/confluent/registry.ts";
import { registryConformance } from "../../src/schemas/conformance.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";

registryConformance("client of RDG's HTTP API", async () => {
  const folder = await mkdtemp(join(tmpdir(), "rdg-registry-"));
  const served = await serveRegistry(folder, 0);
  const open = async (): Promise<SchemaRegistry> =>
    openConfluentRegistry({ connection: { urls: [served.url] }, clock: systemClock, timers: systemTimers });
  return {
    open,
    peer: open,
    async dispose() {
      await served.close();
      await rm(folder, { recursive: true });
    },
  };
});
