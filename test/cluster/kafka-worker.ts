// A worker of a job as a process: passes every record of its partitions on as a quarantined one, so that whoever reads those sees each event as often as it was
// processed. Prints the partitions that are its turn. SIGTERM makes it leave. Arguments: bootstrap, prefix, instance, and how long it may be silent in ms.
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { RdgError } from "../../src/core/errors.ts";
import { batchOf, textsOf } from "../../src/log/conformance-batches.ts";
import { openKafkaLog } from "../../src/log/kafka/log.ts";
import type { JobAssignment } from "../../src/log/port.ts";
import { encodeUpdateBatch } from "../../src/model/update/codec.ts";

const [bootstrap, prefix, instance, silentMs = "1500"] = process.argv.slice(2) as [string, string, string, string?];
const sessionTimeoutMs = Number(silentMs);
const topic = "events.hit";
const windowEvents = 100;
const leaving = new AbortController();
process.once("SIGTERM", () => leaving.abort(new RdgError("closed", "stopped", "The worker was told to stop.")));
console.log("ready");
const log = await openKafkaLog({
  connection: { bootstrap: [bootstrap] },
  clock: systemClock,
  timers: systemTimers,
  settings: { prefix, instance, sessionTimeoutMs, rebalanceTimeoutMs: 2_000, transactionTimeoutMs: 5_000 },
});

const worker = await log.joinJob("hit", topic);
while (!leaving.signal.aborted) {
  try {
    await run(await worker.assignment(leaving.signal));
  } catch (error) {
    if (leaving.signal.aborted) break;
    // Whoever was given up, or cannot reach the broker, begins anew.
    if (!(error instanceof RdgError) || !["conflict", "unavailable"].includes(error.kind)) throw error;
    console.log(`again ${error.code}`);
    await systemTimers.sleep(50);
  }
}
await worker.leave();
await log.close();

async function run(assignment: JobAssignment): Promise<void> {
  const { partitions, committed, counters, ending } = assignment;
  console.log(`turn ${partitions.join(",")}`);
  const received = Array.from({ length: 8 }, (_, partition) => counters["received"]?.[partition] ?? 0);
  const consumed = new Map(committed.map(({ partition, offset }) => [partition, offset]));
  const from = partitions.map((partition) => ({ topic, partition, offset: (consumed.get(partition) ?? -1) + 1 }));
  const signal = AbortSignal.any([ending, leaving.signal]);
  const underWay = new Set<Promise<unknown>>();
  let texts: string[] = [];
  const publish = (): void => {
    if (texts.length === 0) return;
    const updates = encodeUpdateBatch({ eventCount: texts.length, nodes: [], edges: [] });
    const inputs = [...consumed].map(([partition, offset]) => ({ topic, partition, offset }));
    const quarantined = { topic: "quarantine.hit", batch: batchOf(texts) };
    texts = [];
    const commit = assignment.commit({ updates, quarantined, inputs, counters: { received: [...received] } });
    underWay.add(commit);
    commit.then(
      () => {
        underWay.delete(commit);
        // No later frame need come and take along what was read meanwhile.
        if (underWay.size === 0) publish();
      },
      () => undefined,
    );
  };
  try {
    for await (const frame of log.read({ topics: [topic], partitions, from, signal })) {
      for (const [i, text] of textsOf(frame).entries()) {
        texts.push(text);
        received[frame.partition]!++;
        consumed.set(frame.partition, frame.firstOffset + (frame.offsets?.[i] ?? i));
        if (texts.length === windowEvents) publish();
      }
      if (underWay.size === 0) publish();
      else if (underWay.size > 4) await Promise.race(underWay);
      if (signal.aborted) break;
    }
    publish();
    await Promise.all(underWay);
  } finally {
    await assignment.close();
  }
}
