// How far a job's workers have come in one partition, and its counters there: the metadata of the group's offset, and a record of `rdg.jobs`, because Kafka
// forgets the offsets of a group that had no member for a week.
import { txnOffsetCommitV4 } from "@platformatic/kafka";
import { RdgError } from "../../core/errors.ts";
import type { Position } from "../../model/position.ts";
import type { JobCounters, JobTransaction } from "../port.ts";
import type { KafkaCluster } from "./cluster.ts";
import { jobsTopic } from "./directory.ts";
import { errorNames } from "./failures.ts";
import type { Progress, ProgressStep } from "./job-state.ts";
import type { Owner } from "./owner.ts";
import { assertRecordFormat } from "./record-format.ts";

export interface PartitionState {
  /** Last consumed one, -1 before the first. */
  readonly offset: number;
  readonly counters: Readonly<Record<string, number>>;
  /** Instance that wrote it. */
  readonly worker: string;
}

export function decodePartitionState(text: string): PartitionState {
  const state = JSON.parse(text) as PartitionState;
  assertRecordFormat(state, jobsTopic);
  return state;
}

export const keyOf = (job: string, partition: number): string => `${job}/${partition}`;

export interface PartitionedProgressOptions {
  readonly cluster: KafkaCluster;
  readonly owner: Owner;
  /** The member's epoch; throws `fenced` once these partitions are not its turn any more. */
  readonly epoch: () => number;
  /** Resolves when the coordinator may have said a newer epoch. */
  readonly refreshed: () => Promise<void>;
  readonly instance: string;
  readonly groupId: string;
  readonly job: string;
  readonly topic: string;
  readonly kafkaTopic: string;
  readonly states: ReadonlyMap<number, Pick<PartitionState, "offset">>;
}

/** What brokers take as the metadata of an offset, unless they are told otherwise. */
const metadataBytesMax = 4096;
/** The coordinator may have raised the member's epoch in the moment of a commit, time and again while others come and go. */
const epochChangesMax = 20;

export class PartitionedProgress implements Progress {
  readonly #options: PartitionedProgressOptions;
  readonly #consumed: Map<number, number>;
  /** As last written, by partition. */
  readonly #written = new Map<number, string>();

  constructor(options: PartitionedProgressOptions) {
    this.#options = options;
    this.#consumed = new Map([...options.states].map(([partition, { offset }]) => [partition, offset]));
  }

  check({ inputs, counters }: JobTransaction): void {
    const { job, topic } = this.#options;
    for (const position of inputs) {
      if (position.topic === topic && this.#consumed.has(position.partition)) continue;
      const place = `${position.topic}/${position.partition}`;
      throw new RdgError("invalid", "not_assigned", `${place} is not the turn of this worker of ${job}.`, { place });
    }
    for (const partition of this.#consumed.keys()) {
      if (Buffer.byteLength(this.#textOf(partition, 0, counters)) + 20 <= metadataBytesMax) continue;
      throw new RdgError("invalid", "counters_too_large", `Job ${job} has too many counters to be kept by Kafka.`, {
        place: job,
        hint: `Names and counts of one partition have room in ${metadataBytesMax} bytes.`,
      });
    }
  }

  step(inputs: readonly Position[], counters: JobCounters): ProgressStep {
    for (const { partition, offset } of inputs) this.#consumed.set(partition, offset);
    const texts = [...this.#consumed].map(
      ([partition, offset]) => [partition, this.#textOf(partition, offset, counters)] as const,
    );
    const changed = texts.filter(([partition, text]) => this.#written.get(partition) !== text);
    // Something is always committed: it is how the coordinator refuses whom it has given up.
    const told = changed.length > 0 ? changed : texts.slice(0, 1);
    for (const [partition, text] of told) this.#written.set(partition, text);
    return {
      records: told.map(([partition, value]) => ({ key: keyOf(this.#options.job, partition), value })),
      join: () => this.#commitOffsets(told),
    };
  }

  #textOf(partition: number, offset: number, counters: JobCounters): string {
    const counts = Object.entries(counters).map(([name, all]) => [name, all[partition] ?? 0]);
    const state: PartitionState = {
      offset,
      counters: Object.fromEntries(counts) as Record<string, number>,
      worker: this.#options.instance,
    };
    return JSON.stringify(state);
  }

  async #commitOffsets(texts: readonly (readonly [number, string])[]): Promise<void> {
    const { cluster, owner, epoch, refreshed, instance, groupId, kafkaTopic } = this.#options;
    await owner.addOffsets(groupId);
    const { producerId, epoch: producerEpoch } = owner.epoch;
    const partitions = texts.map(([partition, text]) => ({
      partitionIndex: partition,
      committedOffset: BigInt(this.#consumed.get(partition)! + 1),
      committedLeaderEpoch: -1,
      committedMetadata: text,
    }));
    for (let i = 0; ; i++) {
      try {
        await cluster.retrying("commit offsets", groupId, async () => {
          const coordinator = await cluster.coordinator("group", groupId);
          const topics = [{ name: kafkaTopic, partitions }];
          const { transactionalId } = owner;
          const args = [transactionalId, groupId, producerId, producerEpoch, epoch(), instance, null] as const;
          await txnOffsetCommitV4.api.async(coordinator, ...args, topics);
        });
        return;
      } catch (error) {
        const names = errorNames(error);
        const isStale = names.includes("ILLEGAL_GENERATION") || names.includes("STALE_MEMBER_EPOCH");
        if (!isStale || i === epochChangesMax) throw error;
        await refreshed();
      }
    }
  }
}
