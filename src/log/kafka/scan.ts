// A partition read from one offset to another at once: for the adapter's own topics, for the retries of a partition and for where its last record lies.
import type { KafkaCluster, TopicPartition } from "./cluster.ts";
import { failureOf } from "./cluster.ts";
import { type BatchHead, batchesIn, decodeRecords } from "./record-batch.ts";
import { type Fetched, fetchRecords } from "./wire.ts";

/** Which transactional batches were aborted, told batch by batch in the order of offsets. */
export class AbortedTransactions {
  readonly #aborted: { readonly producerId: bigint; readonly firstOffset: number }[];
  readonly #open = new Set<bigint>();

  constructor(aborted: Fetched["aborted"]) {
    this.#aborted = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Whether readers of committed records see the batch. */
  shows({ producerId, lastOffset, transactional, control }: BatchHead): boolean {
    while (this.#aborted.length > 0 && this.#aborted[0]!.firstOffset <= lastOffset) {
      this.#open.add(this.#aborted.shift()!.producerId);
    }
    if (control !== undefined) {
      if (control === "abort") this.#open.delete(producerId);
      return false;
    }
    return !(transactional && this.#open.has(producerId));
  }
}

export interface ScanOptions {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  /** Without it also open and aborted transactions and control batches are told. */
  readonly committedOnly: boolean;
}

/** Tells every batch that has offsets in the range, from the kept ones on. Resolves when all were told. */
export async function scan(
  cluster: KafkaCluster,
  place: TopicPartition,
  { from, to, committedOnly }: ScanOptions,
  tell: (head: BatchHead) => void,
): Promise<void> {
  const { topic, partition } = place;
  for (let offset = from; offset < to;) {
    const fetched = await cluster.retrying("read", topic, async () => {
      const connection = await cluster.connection(await cluster.brokerOf(place));
      const partitions = [{ topic, partition, offset }];
      const request = { waitMs: 100, bytesMax: cluster.settings.fetchBytesMax, committedOnly, partitions };
      const [answer] = await fetchRecords.async(connection, request);
      if (answer!.errorCode === offsetOutOfRange) return undefined;
      if (answer!.errorCode !== 0) throw failureOf(answer!.errorCode);
      return answer!;
    });
    if (fetched === undefined) {
      // Retention has been here.
      const [first] = await cluster.retrying("read", topic, () => cluster.offsets([place], "first"));
      if (first! <= offset) return;
      offset = first!;
      continue;
    }
    const aborted = new AbortedTransactions(fetched.aborted);
    const before = offset;
    for (const head of fetched.records === undefined ? [] : batchesIn(fetched.records, `${topic}/${partition}`)) {
      if (head.lastOffset < offset) continue;
      if (head.baseOffset >= to) return;
      if (!committedOnly || aborted.shows(head)) tell(head);
      offset = head.lastOffset + 1;
    }
    // Nothing behind it any more: compaction removed the rest.
    if (offset === before && (!committedOnly || fetched.stableEnd >= to)) return;
  }
}

export const offsetOutOfRange = 1;

/** One behind the last record that readers of committed records see below `end`: markers of transactions and removed records do not count. */
export async function visibleEnd(
  cluster: KafkaCluster,
  place: TopicPartition,
  first: number,
  end: number,
): Promise<number> {
  for (let back = 4; ; back *= 16) {
    const from = Math.max(first, end - back);
    const heads: BatchHead[] = [];
    await scan(cluster, place, { from, to: end, committedOnly: true }, (head) => heads.push(head));
    for (const head of heads.reverse()) {
      // Compaction leaves the head of a batch as it was.
      const { count, deltas } = decodeRecords(head, place.topic, { until: end - 1, tagsOnly: true });
      if (count > 0) return head.baseOffset + deltas[count - 1]! + 1;
    }
    if (from === first) return first;
  }
}
