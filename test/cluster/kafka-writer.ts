// A process that writes to a Kafka log until it is killed: prints each number once it is acknowledged. Arguments: bootstrap, prefix, "job" or "producer".
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { batchOf } from "../../src/log/conformance-batches.ts";
import { openKafkaLog } from "../../src/log/kafka/log.ts";
import { encodeUpdateBatch } from "../../src/model/update/codec.ts";

const [bootstrap, prefix, what] = process.argv.slice(2) as [string, string, string];
const log = await openKafkaLog({
  connection: { bootstrap: [bootstrap] },
  clock: systemClock,
  timers: systemTimers,
  settings: { prefix },
});

if (what === "job") {
  const output = await log.jobOutput("hit");
  for (let n = (output.counters["done"]?.[0] ?? 0) + 1; ; n++) {
    await output.commit({
      updates: encodeUpdateBatch({ eventCount: n, nodes: [], edges: [] }),
      quarantined: { topic: "quarantine.hit", batch: batchOf([`bad ${n}`]) },
      inputs: [{ topic: "events.hit", partition: 0, offset: n }],
      counters: { done: [n] },
    });
    console.log(n);
  }
}

const producer = await log.producer("p");
for (let n = 1; ; n++) {
  await producer.append("events.hit", 0, batchOf([`${n}`], { idempotencyKey: `k${n}` }));
  console.log(n);
}
