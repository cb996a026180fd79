// What the Kafka log costs this process: appends, reads and transactions over a broker that runs already. `node bench/kafka-log.ts host:port [records]`
import { systemClock, systemTimers } from "../src/core/clock.ts";
import { randomId } from "../src/core/random.ts";
import { batchOf, columnOf } from "../src/log/conformance-batches.ts";
import { openKafkaLog } from "../src/log/kafka/log.ts";
import type { KafkaLogSettings } from "../src/log/kafka/settings.ts";

const [bootstrap = "127.0.0.1:9092", recordsText = "300000"] = process.argv.slice(2);
const records = Number(recordsText);
const batchRecords = 500;
const windowBytes = 500_000;
const partitions = 2;

async function measure(name: string, count: number, run: () => Promise<void>): Promise<void> {
  const [cpu, startedMs] = [process.cpuUsage(), performance.now()];
  await run();
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(`${name}: ${Math.round(count / seconds)}/s, ${((user + system) / count).toFixed(2)} us of CPU each`);
}

async function bench(compression: KafkaLogSettings["compression"]): Promise<void> {
  const settings = { prefix: `bench-${randomId().slice(0, 8)}.`, compression };
  const log = await openKafkaLog({
    connection: { bootstrap: [bootstrap] },
    clock: systemClock,
    timers: systemTimers,
    settings,
  });
  try {
    await log.ensureTopics([
      { name: "events.hit", form: "records", partitions, retention: {} },
      { name: "nodes.thing", form: "updates", partitions: 1, retention: {} },
    ]);
    const producer = await log.producer("bench");
    const values = Array.from({ length: batchRecords }, (_, i) =>
      `{"account":"a${i % 97}","title":"t${i}","n":${i}}`.padEnd(150, "."),
    );
    const keys = columnOf(values.map((_, i) => `a${i % 97}`));
    const batch = batchOf(values, { keys });
    const append = (keyed: boolean) => async (): Promise<void> => {
      let sent = 0;
      const worker = async (partition: number): Promise<void> => {
        while (sent < records) {
          sent += batchRecords;
          await producer.append("events.hit", partition, keyed ? { ...batch, idempotencyKey: randomId() } : batch);
        }
      };
      await Promise.all(Array.from({ length: 8 }, (_, i) => worker(i % partitions)));
    };
    await append(false)();
    await measure(`${compression}: append, 8 batches of ${batchRecords} in flight`, records, append(false));
    await measure(`${compression}: the same with idempotency keys`, records, append(true));
    await measure(`${compression}: read`, 3 * records, async () => {
      for await (const frame of log.read({ topics: ["events.hit"], until: [] })) if (frame.count === 0) return;
    });
    const output = await log.jobOutput("hit");
    const updates = new Uint8Array(windowBytes).fill(7);
    await measure(`${compression}: transaction with a window of ${windowBytes} bytes`, 50, async () => {
      for (let n = 0; n < 50; n++) {
        await output.commit({
          updates,
          quarantined: undefined,
          inputs: [{ topic: "events.hit", partition: 0, offset: n }],
          counters: {},
        });
      }
    });
  } finally {
    await log.close();
  }
}

for (const compression of ["none", "lz4"] as const) await bench(compression);
