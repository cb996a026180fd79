// The Kafka log keeps the log's contract over a real broker.
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { logConformance } from "../../src/log/conformance.ts";
import { openKafkaLog } from "../../src/log/kafka/log.ts";
import type { Log } from "../../src/log/port.ts";
import { sharedKafka, uniqueName } from "./shared.ts";

logConformance("Kafka log", async () => {
  const { bootstrap } = await sharedKafka();
  const prefix = `${uniqueName("log")}.`;
  const left: Log[] = [];
  const open = (): Promise<Log> =>
    openKafkaLog({
      connection: { bootstrap: [bootstrap] },
      clock: systemClock,
      timers: systemTimers,
      settings: { prefix, instance: "one" },
    });
  return {
    open,
    crash: async (log) => {
      // It is left as it is: whatever it has under way, and its connections.
      left.push(log);
      return await open();
    },
    dispose: async () => {
      await Promise.all(left.map((log) => log.close()));
    },
  };
});
