// Single records into the adapter's own topics, each written so that writing it twice does no harm: no producer id, no order between calls.
import type { RecordBatch } from "../port.ts";
import { failureOf, type KafkaCluster, type TopicPartition } from "./cluster.ts";
import { encodeBatch } from "./record-batch.ts";
import { produce, type Produced } from "./wire.ts";

export interface KeyedText {
  readonly key: string;
  readonly value: string;
}

export class PlainSender {
  readonly #cluster: KafkaCluster;

  constructor(cluster: KafkaCluster) {
    this.#cluster = cluster;
  }

  async send(place: TopicPartition, records: readonly KeyedText[]): Promise<Produced> {
    const { clock, settings } = this.#cluster;
    const identity = { producerId: -1n, epoch: -1, sequence: -1, transactional: false } as const;
    const bytes = encodeBatch([{ batch: batchOfTexts(records) }], {
      ...identity,
      nowMs: clock.now(),
      compression: "none",
    });
    return await this.#cluster.retrying("write", place.topic, async () => {
      const connection = await this.#cluster.connection(await this.#cluster.brokerOf(place));
      const request = { transactionalId: null, timeoutMs: settings.requestTimeoutMs, batches: [{ ...place, bytes }] };
      const [produced] = await produce.async(connection, request);
      if (produced!.errorCode !== 0) throw failureOf(produced!.errorCode);
      return produced!;
    });
  }
}

export function batchOfTexts(records: readonly KeyedText[]): RecordBatch {
  const column = (texts: readonly string[]): RecordBatch["values"] => {
    const pieces = texts.map((text) => Buffer.from(text));
    const starts = new Uint32Array(pieces.length + 1);
    for (const [i, piece] of pieces.entries()) starts[i + 1] = starts[i]! + piece.length;
    return { bytes: Buffer.concat(pieces), starts };
  };
  return {
    count: records.length,
    keys: column(records.map(({ key }) => key)),
    values: column(records.map(({ value }) => value)),
  };
}
