// The repair queue of a shared store, in the log: writes that Cassandra did not take are records of a compacted topic until they are made, whoever makes them.
// Its partitions are the parts of the graph, too: who writes a part empties the partition.
import type { Timers } from "../../core/clock.ts";
import { RdgError, describeError } from "../../core/errors.ts";
import { randomId } from "../../core/random.ts";
import type { Log, Producer, RecordBatch, RecordFrame, TopicSettings } from "../../log/port.ts";
import type { RepairFigures } from "../../observe/port.ts";
import type { RepairQueue } from "../../store/cassandra/repair-queue.ts";
import type { CassandraStore } from "../../store/cassandra/store.ts";
import type { Logger } from "../logger.ts";

export interface RepairTopicOptions {
  readonly log: Log;
  readonly topic: string;
  readonly store: Pick<CassandraStore, "repair" | "repaired" | "noteRepaired" | "settle">;
  /** Records that may wait. */
  readonly waitingMax: number;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** A record that was made up, and the removal that says so, are kept at least so long. */
const keptMs = 86_400_000;
const pollMs = 500;

/** Makes the topic if it is not there. Answers its partitions: once made, that many. */
export async function ensureRepairTopic(log: Log, name: string, partitions: number): Promise<number> {
  const find = async (): Promise<TopicSettings | undefined> =>
    (await log.topics()).find((topic) => topic.name === name);
  const there = await find();
  if (there !== undefined) return there.partitions;
  try {
    await log.ensureTopics([{ name, form: "compacted", partitions, retention: { timeMs: keptMs } }]);
  } catch (error) {
    // Another process may have made it at the same moment.
    if ((await find()) === undefined) throw error;
  }
  return (await find())?.partitions ?? partitions;
}

export class RepairTopic implements RepairQueue {
  readonly #options: RepairTopicOptions;
  #producer: Promise<Producer> | undefined;
  #partitions: readonly number[] = [];
  #turn = 0;
  #figures: RepairFigures = { waiting: 0, queued: 0, repaired: 0 };

  constructor(options: RepairTopicOptions) {
    this.#options = options;
  }

  get figures(): RepairFigures {
    return this.#figures;
  }

  async put(record: Uint8Array): Promise<void> {
    const { waitingMax, topic } = this.#options;
    const { waiting } = this.#figures;
    if (waiting >= waitingMax) {
      const message = `${waiting} writes wait in the repair queue: no more may.`;
      throw new RdgError("unavailable", "repair_queue_full", message, {
        place: topic,
        hint: "Bring back the nodes of Cassandra that are away; the setting is store.repairsMax.",
      });
    }
    const partition = this.#partitions[this.#turn++ % this.#partitions.length]!;
    await this.#append(partition, { count: 1, keys: columnOf(Buffer.from(randomId())), values: columnOf(record) });
    this.#say({ waiting: this.#figures.waiting + 1, queued: this.#figures.queued + 1 });
  }

  async isEmpty(): Promise<boolean> {
    const { log, topic, store } = this.#options;
    const bounds = await log.bounds(topic);
    const reached = await store.repaired();
    const waiting = bounds.map(({ partition, next }) => Math.max(0, next - 1 - (reached.get(partition) ?? -1)));
    this.#say({ waiting: waiting.reduce((sum, each) => sum + each, 0) });
    return this.#figures.waiting === 0;
  }

  /** Makes up what is in these partitions, where new records go from now on, as it comes. Resolves when the signal aborts. */
  async drain(partitions: readonly number[], signal: AbortSignal): Promise<void> {
    this.#partitions = partitions;
    const { store, timers } = this.#options;
    const settling = this.#again(signal, async () => {
      await store.settle();
      await timers.sleep(pollMs, signal);
    });
    await Promise.all([settling, this.#again(signal, () => this.#makeUp(partitions, signal))]);
  }

  async close(): Promise<void> {
    await (await this.#producer?.catch(() => undefined))?.close();
  }

  async #makeUp(partitions: readonly number[], signal: AbortSignal): Promise<void> {
    const { log, topic, store } = this.#options;
    const reached = await store.repaired();
    const from = partitions.map((partition) => ({ topic, partition, offset: (reached.get(partition) ?? -1) + 1 }));
    for await (const frame of log.read({ topics: [topic], partitions, from, signal })) {
      const { partition, firstOffset, offsets, count, timestampMs } = frame;
      const done: number[] = [];
      for (let i = 0; i < count; i++) {
        if (frame.nulls?.[i] === 1) continue;
        this.#say({ oldestMs: timestampMs });
        await this.#patiently(() => store.repair(valueAt(frame.values, i)), signal);
        this.#say({ repaired: this.#figures.repaired + 1 });
        done.push(i);
      }
      await store.noteRepaired(partition, firstOffset + (offsets?.[count - 1] ?? count - 1));
      this.#say({ oldestMs: undefined, cause: undefined });
      if (done.length > 0) await this.#remove(frame, done);
    }
  }

  /** So that the log forgets them. What is not removed is kept for nothing, and harms nobody. */
  async #remove({ partition, keys }: RecordFrame, rows: readonly number[]): Promise<void> {
    const count = rows.length;
    const removed = columnsOf(rows.map((row) => valueAt(keys!, row)));
    const values = columnsOf(rows.map(() => new Uint8Array(0)));
    const nulls = new Uint8Array(count).fill(1);
    await this.#append(partition, { count, keys: removed, values, nulls }).catch(() => undefined);
  }

  async #append(partition: number, batch: RecordBatch): Promise<void> {
    const { log, topic } = this.#options;
    this.#producer ??= log.producer(`store.${randomId()}`);
    const producer = this.#producer;
    try {
      await (await producer).append(topic, partition, batch);
    } catch (error) {
      if (this.#producer === producer) this.#producer = undefined;
      throw error;
    }
  }

  async #patiently(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof RdgError) || error.kind !== "unavailable") throw error;
        this.#say({ cause: describeError(error) });
        await this.#options.timers.sleep(pollMs, signal);
      }
    }
  }

  /** Until the signal aborts, whatever fails. */
  async #again(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const { timers, logger } = this.#options;
    while (!signal.aborted) {
      try {
        await work();
      } catch (error) {
        if (signal.aborted) return;
        this.#say({ cause: describeError(error) });
        logger.warn(`the repair queue waits: ${describeError(error)}`);
        await timers.sleep(pollMs, signal).catch(() => undefined);
      }
    }
  }

  #say(news: { readonly [K in keyof RepairFigures]?: RepairFigures[K] | undefined }): void {
    const { oldestMs, cause, ...counts } = { ...this.#figures, ...news } as RepairFigures;
    this.#figures = {
      ...counts,
      ...(oldestMs !== undefined && { oldestMs }),
      ...(cause !== undefined && { cause }),
    };
  }
}

const valueAt = ({ bytes, starts }: RecordBatch["values"], row: number): Uint8Array =>
  bytes.subarray(starts[row], starts[row + 1]);

const columnOf = (bytes: Uint8Array): RecordBatch["values"] => columnsOf([bytes]);

function columnsOf(all: readonly Uint8Array[]): RecordBatch["values"] {
  const starts = new Uint32Array(all.length + 1);
  for (const [i, bytes] of all.entries()) starts[i + 1] = starts[i]! + bytes.length;
  return { bytes: Buffer.concat(all), starts };
}
