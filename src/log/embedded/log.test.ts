// The embedded log keeps the log's contract: on a simulated disk, where a crash is cheap, and on real files with a killed process.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SimulatedDisk } from "../../../test/log/simulated-disk.ts";
import { systemClock, systemTimers } from "../../core/clock.ts";
import { seededRandom } from "../../core/random.ts";
import { logConformance } from "../conformance.ts";
import { openEmbeddedLog } from "./log.ts";

const time = { clock: systemClock, timers: systemTimers };

for (const end of ["kill", "powerLoss"] as const) {
  logConformance(`embedded log (crash: ${end})`, async () => {
    const disk = new SimulatedDisk(seededRandom(1));
    const open = (): ReturnType<typeof openEmbeddedLog> =>
      openEmbeddedLog({ folder: "/log", ...time, fileSystem: disk.process(), settings: { segmentBytes: 300 } });
    return {
      open,
      crash: () => {
        disk[end]();
        return open();
      },
      dispose: () => Promise.resolve(),
    };
  });
}

logConformance("embedded log (real files, clean restart)", async () => {
  const folder = await mkdtemp(join(tmpdir(), "rdg-log-"));
  const open = (): ReturnType<typeof openEmbeddedLog> => openEmbeddedLog({ folder, ...time });
  return {
    open,
    crash: async (log) => {
      await log.close();
      return await open();
    },
    dispose: () => rm(folder, { recursive: true }),
  };
});
