// A process that owns a log and appends to it until it is killed: prints each number once it is acknowledged. Arguments: folder, what to do.
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { columnOf } from "../../src/log/conformance-batches.ts";
import { openEmbeddedLog } from "../../src/log/embedded/log.ts";

const [folder, what] = process.argv.slice(2) as [string, string];
const log = await openEmbeddedLog({
  folder,
  clock: systemClock,
  timers: systemTimers,
  settings: { segmentBytes: 20_000 },
});
await log.ensureTopics([{ name: "events.hit", form: "records", partitions: 1, retention: {} }]);
process.stdout.write("open\n");
if (what === "append") {
  const producer = await log.producer("p");
  const { next } = (await log.bounds("events.hit"))[0]!;
  const appendFrom = async (first: number): Promise<void> => {
    for (let number = first; ; number += 4) {
      const values = columnOf([`${number}`]);
      const { first: stored } = await producer.append("events.hit", 0, {
        count: 1,
        values,
        idempotencyKey: `${number}`,
      });
      process.stdout.write(`${number} ${stored.offset}\n`);
    }
  };
  await Promise.all([0, 1, 2, 3].map((lane) => appendFrom(next + lane)));
} else {
  // Holds the lock until killed.
  process.stdin.resume();
}
