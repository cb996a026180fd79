// The client of an external registry keeps the registry's contract over one that is not ours: Apicurio.
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { openConfluentRegistry } from "../../src/schemas/confluent/registry.ts";
import { registryConformance } from "../../src/schemas/conformance.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import { sharedApicurio } from "./shared.ts";

const deviations = { deletesSubjectsAtOnce: true, showsGlobalAsOwn: true, comparesWithAll: true, noReasons: true };

registryConformance(
  "client of Apicurio",
  async () => {
    const { url } = await sharedApicurio();
    const open = async (): Promise<SchemaRegistry> =>
      openConfluentRegistry({ connection: { urls: [url] }, clock: systemClock, timers: systemTimers });
    return {
      open,
      peer: open,
      dispose: async () => undefined,
    };
  },
  deviations,
);
