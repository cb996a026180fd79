// One more worker that joins the job every few seconds, does nothing with the partitions that it is given, and leaves: the others hand theirs over all the time.
import { systemClock, systemTimers } from "../../../src/core/clock.ts";
import type { Random } from "../../../src/core/random.ts";
import { openKafkaLog } from "../../../src/log/kafka/log.ts";

export interface Rebalanced {
  readonly bootstrap: string;
  readonly prefix: string;
  readonly event: string;
}

const pauseMs = { least: 1_500, most: 4_000 };
const holdsMsMost = 500;
/** Where the broker does not answer it gives up. */
const joinsWithinMs = 5_000;

/** @returns how often it was given partitions */
export async function rebalanceUntil(isOver: () => boolean, from: Rebalanced, random: Random): Promise<number> {
  let times = 0;
  while (!isOver()) {
    await systemTimers.sleep(pauseMs.least + random.below(pauseMs.most - pauseMs.least));
    if (await joinOnce(from, random).catch(() => false)) times++;
  }
  return times;
}

async function joinOnce({ bootstrap, prefix, event }: Rebalanced, random: Random): Promise<boolean> {
  const ports = { clock: systemClock, timers: systemTimers };
  const log = await openKafkaLog({ connection: { bootstrap: [bootstrap] }, ...ports, settings: { prefix } });
  try {
    const worker = await log.joinJob(event, `events.${event}`);
    try {
      const assignment = await worker.assignment(AbortSignal.timeout(joinsWithinMs));
      await systemTimers.sleep(random.below(holdsMsMost));
      await assignment.close();
      return true;
    } finally {
      await worker.leave();
    }
  } finally {
    await log.close();
  }
}
