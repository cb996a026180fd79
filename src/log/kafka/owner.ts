// A name that one process owns at a time, by Kafka's transactional ids: taking it over raises its epoch, and brokers refuse what comes with an earlier one.
import { addOffsetsToTxnV3, addPartitionsToTxnV3, endTxnV3, initProducerIdV4 } from "@platformatic/kafka";
import type { KafkaCluster, TopicPartition } from "./cluster.ts";

export interface Epoch {
  readonly producerId: bigint;
  readonly epoch: number;
}

const nobody: Epoch = { producerId: -1n, epoch: -1 };

export class Owner {
  readonly transactionalId: string;
  readonly #cluster: KafkaCluster;
  #epoch: Epoch;

  private constructor(cluster: KafkaCluster, transactionalId: string, epoch: Epoch) {
    this.#cluster = cluster;
    this.transactionalId = transactionalId;
    this.#epoch = epoch;
  }

  /** Fences the earlier owner. When it resolves, what that one left open is aborted, and what it had decided is visible. */
  static async take(cluster: KafkaCluster, transactionalId: string): Promise<Owner> {
    return new Owner(cluster, transactionalId, await initialise(cluster, transactionalId, nobody));
  }

  get epoch(): Epoch {
    return this.#epoch;
  }

  /** A new epoch for the same owner. @throws RdgError conflict, `fenced`, when there is a later one */
  async renew(): Promise<Epoch> {
    this.#epoch = await initialise(this.#cluster, this.transactionalId, this.#epoch);
    return this.#epoch;
  }

  async begin(partitions: readonly TopicPartition[]): Promise<void> {
    const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([name, places]) => ({
      name,
      partitions: places.map(({ partition }) => partition),
    }));
    const { producerId, epoch: producerEpoch } = this.#epoch;
    const { transactionalId } = this;
    await this.#coordinated("begin a transaction", (coordinator) =>
      addPartitionsToTxnV3.api.async(coordinator, [
        { transactionalId, producerId, producerEpoch, verifyOnly: false, topics },
      ]),
    );
  }

  /** A group's offsets become part of the transaction. */
  async addOffsets(groupId: string): Promise<void> {
    const { producerId, epoch } = this.#epoch;
    await this.#coordinated("begin a transaction", (coordinator) =>
      addOffsetsToTxnV3.api.async(coordinator, this.transactionalId, producerId, epoch, groupId),
    );
  }

  async end(commit: boolean): Promise<void> {
    const { producerId, epoch } = this.#epoch;
    await this.#coordinated("end a transaction", (coordinator) =>
      endTxnV3.api.async(coordinator, this.transactionalId, producerId, epoch, commit),
    );
  }

  /** Whatever an earlier owner still sends to these partitions is refused from now on: the marker of an empty transaction tells them the epoch. */
  async fence(partitions: readonly TopicPartition[]): Promise<void> {
    if (partitions.length > 0) {
      await this.begin(partitions);
      await this.end(false);
    }
    // Succeeds once the markers are written.
    await this.renew();
  }

  #coordinated<T>(
    doing: string,
    call: (coordinator: Awaited<ReturnType<KafkaCluster["coordinator"]>>) => Promise<T>,
  ): Promise<T> {
    return this.#cluster.retrying(doing, this.transactionalId, async () =>
      call(await this.#cluster.coordinator("transaction", this.transactionalId)),
    );
  }
}

async function initialise(
  cluster: KafkaCluster,
  transactionalId: string,
  { producerId, epoch }: Epoch,
): Promise<Epoch> {
  const { transactionTimeoutMs } = cluster.settings;
  const answer = await cluster.retrying("take over", transactionalId, async () =>
    initProducerIdV4.api.async(
      await cluster.coordinator("transaction", transactionalId),
      transactionalId,
      transactionTimeoutMs,
      producerId,
      epoch,
    ),
  );
  return { producerId: answer.producerId, epoch: answer.producerEpoch };
}
