// Where readers' worlds end: what this log object has written counts as written once readers see it, and ends that were asked for come before later writes.
import { type KafkaCluster, type TopicPartition } from "./cluster.ts";

const pollMs = 2;

export class VisibleEnds {
  readonly #cluster: KafkaCluster;
  /** Offset of the last record that a transaction of this process has committed, by partition. */
  readonly #committed = new Map<string, number>();
  readonly #asking = new Set<Promise<unknown>>();

  constructor(cluster: KafkaCluster) {
    this.#cluster = cluster;
  }

  /** A committed transaction is visible a moment later: when its marker is written. */
  written({ topic, partition }: TopicPartition, offset: number): void {
    this.#committed.set(`${topic}/${partition}`, offset);
  }

  /** Offsets below which everything is decided, in the order of the partitions; what this process has committed lies below. */
  ask(partitions: readonly TopicPartition[]): Promise<number[]> {
    const asking = this.#stableEnds(partitions);
    const settled = asking.then(
      () => undefined,
      () => undefined,
    );
    this.#asking.add(settled);
    void settled.then(() => this.#asking.delete(settled));
    return asking;
  }

  /** Resolves when the ends that were asked for until now are known. */
  async asked(): Promise<void> {
    if (this.#asking.size > 0) await Promise.all(this.#asking);
  }

  async #stableEnds(partitions: readonly TopicPartition[]): Promise<number[]> {
    const { clock, timers, settings } = this.#cluster;
    // Another job's open transaction may hold the end back for as long as it may be open.
    const until = clock.monotonicMs() + settings.transactionTimeoutMs;
    const wanted = partitions.map(({ topic, partition }) => this.#committed.get(`${topic}/${partition}`) ?? -1);
    for (;;) {
      const place = partitions[0]?.topic ?? "";
      const ends = await this.#cluster.retrying("read", place, () => this.#cluster.offsets(partitions, "stable"));
      if (ends.every((end, i) => end > wanted[i]!) || clock.monotonicMs() > until) return ends;
      await timers.sleep(pollMs);
    }
  }
}
