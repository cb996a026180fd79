// What time it is for the broker that leads a partition: the time it gives to a record of `rdg.clock`.
//
// Times of receipt are given by brokers. Asked at the same broker, everything that a partition takes afterwards has this time or a later one.
import type { KafkaCluster, TopicPartition } from "./cluster.ts";
import { clockPartitions, clockTopic, type Directory } from "./directory.ts";
import type { PlainSender } from "./plain-sender.ts";

export class BrokerTime {
  readonly #cluster: KafkaCluster;
  readonly #sender: PlainSender;
  readonly #topic: string;

  constructor(cluster: KafkaCluster, directory: Directory, sender: PlainSender) {
    this.#cluster = cluster;
    this.#sender = sender;
    this.#topic = directory.kafkaName(clockTopic);
  }

  /** The earliest of the times of the brokers that lead these partitions. */
  async now(partitions: readonly TopicPartition[]): Promise<number> {
    const leaderOf = (place: TopicPartition): Promise<number> =>
      this.#cluster.retrying("ask for the time", place.topic, () => this.#cluster.brokerOf(place));
    const leaders = new Set(await Promise.all(partitions.map(leaderOf)));
    const places = Array.from({ length: clockPartitions }, (_, partition) => ({ topic: this.#topic, partition }));
    const clocks = await Promise.all(places.map(leaderOf));
    const times = [...leaders].map(async (leader) => {
      // A broker that leads none of them is asked at another one: then it counts that their clocks agree.
      const place = places[Math.max(0, clocks.indexOf(leader))]!;
      return (await this.#sender.send(place, [{ key: "", value: "" }])).logAppendTimeMs;
    });
    return Math.min(...(await Promise.all(times)));
  }
}
