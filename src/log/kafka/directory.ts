// Which topics the log has, kept in a topic of its own: Kafka does not know forms, and type topics are views of the journal.
//
//   rdg.topics   compacted: settings of each topic by name
//   rdg.journal  the jobs' transactions, one record each, in one partition: all readers see them in one order
//   rdg.jobs     compacted: where each job goes on, and its counters
//   rdg.clock    nothing but the times that brokers give (broker-time.ts)
//   rdg.turns.*  nothing: stand for topics on other clusters where workers share partitions out
//   rdg.beats    who lives, where workers watch each other (beats.ts); made when it is needed
import { crc32 } from "node:zlib";
import {
  ConfigResourceTypes,
  createPartitionsV3,
  createTopicsV7,
  incrementalAlterConfigsV1,
  IncrementalAlterConfigOperationTypes,
  ProtocolError,
} from "@platformatic/kafka";
import { RdgError } from "../../core/errors.ts";
import type { TopicForm, TopicSettings } from "../port.ts";
import type { KafkaCluster, TopicPartition } from "./cluster.ts";
import { errorNames, unknownTopic } from "./failures.ts";
import { grown, grows, staleAfterMs } from "./growth.ts";
import type { PlainSender } from "./plain-sender.ts";
import { decodeRecords } from "./record-batch.ts";
import { assertRecordFormat } from "./record-format.ts";
import { scan } from "./scan.ts";

export const journalTopic = "rdg.journal";
export const jobsTopic = "rdg.jobs";
export const clockTopic = "rdg.clock";
const topicsTopic = "rdg.topics";
const beatsTopic = "rdg.beats";
export const clockPartitions = 8;
const beatsPartitions = 8;

type Configs = Readonly<Record<string, string>>;

const forEver = "-1";
const never = "9223372036854775807";
/** Of topics of which the last minutes count, or of each key the last record. */
const small: Configs = { "segment.bytes": "16777216", "segment.ms": "600000", "min.cleanable.dirty.ratio": "0.1" };
const minutes: Configs = { "cleanup.policy": "delete", "retention.ms": "600000", ...small };

export class Directory {
  readonly #cluster: KafkaCluster;
  readonly #sender: PlainSender;
  #topics: ReadonlyMap<string, TopicSettings> = new Map();
  /** How far `rdg.topics` was read. */
  #next = 0;
  #changing: Promise<void> = Promise.resolve();
  #reloading: Promise<void> = Promise.resolve();
  /** When it was last as the log has it, by the monotonic clock. */
  #readMs = -Infinity;

  constructor(cluster: KafkaCluster, sender: PlainSender) {
    this.#cluster = cluster;
    this.#sender = sender;
  }

  /** Makes the log's own topics where they are missing, and reads what topics there are. */
  async open(): Promise<void> {
    await this.#create([
      { name: topicsTopic, partitions: 1, configs: { "cleanup.policy": "compact", ...small } },
      { name: jobsTopic, partitions: 1, configs: { "cleanup.policy": "compact", ...small } },
      { name: journalTopic, partitions: 1, configs: { "cleanup.policy": "delete", "retention.ms": forEver } },
      { name: clockTopic, partitions: clockPartitions, configs: minutes },
    ]);
    await this.reload();
  }

  /** Where the members of a group tell each other that they live. */
  async beatsPlace(group: string): Promise<TopicPartition> {
    await this.#create([{ name: beatsTopic, partitions: beatsPartitions, configs: minutes }]);
    return { topic: this.kafkaName(beatsTopic), partition: crc32(group) % beatsPartitions };
  }

  /** What is known without asking. */
  get topics(): readonly TopicSettings[] {
    return [...this.#topics.values()];
  }

  known(topic: string): TopicSettings | undefined {
    return this.#topics.get(topic);
  }

  /** @throws RdgError invalid, `unknown_topic` */
  async find(topic: string): Promise<TopicSettings> {
    const known = this.#topics.get(topic);
    if (known !== undefined) return known;
    await this.reload();
    const found = this.#topics.get(topic);
    if (found === undefined) throw unknownTopic(topic);
    return found;
  }

  /** Name of the Kafka topic that holds the records of a topic. */
  kafkaName(topic: string): string {
    return `${this.#cluster.settings.prefix}${topic}`;
  }

  /** Name of the Kafka topic of a record topic, which may be somebody else's. */
  recordTopicOf({ name, foreign }: TopicSettings): string {
    return foreign ?? this.kafkaName(name);
  }

  /**
   * The topic whose partitions the workers of a job share out. Groups, their offsets and the jobs' transactions are all on one cluster; for a topic on another
   * one, an empty topic there with as many partitions stands for it.
   */
  turnsTopicOf(topic: TopicSettings): string {
    return topic.cluster === undefined ? this.recordTopicOf(topic) : this.kafkaName(turnsOf(topic.name));
  }

  /** Where a topic's content lies; that of a type topic is the jobs' transactions, in the journal. */
  partitionsOf(settings: TopicSettings): TopicPartition[] {
    if (settings.form === "updates") return [{ topic: this.kafkaName(journalTopic), partition: 0 }];
    return this.recordsOf(settings);
  }

  /** Where its records lie; of type topics, only those that are published have some. */
  recordsOf(settings: TopicSettings): TopicPartition[] {
    const topic = this.recordTopicOf(settings);
    return Array.from({ length: settings.partitions }, (_, partition) => ({ topic, partition }));
  }

  /** Learns what other processes have changed. */
  reload(): Promise<void> {
    // One after the other: what an earlier one has read is not to come over what a later one has.
    const reloaded = this.#reloading.then(() => this.#reload());
    this.#reloading = reloaded.catch(() => undefined);
    return reloaded;
  }

  /** Whether it may have missed what producers have to go by. */
  get isStale(): boolean {
    return this.#cluster.clock.monotonicMs() - this.#readMs > staleAfterMs;
  }

  async #reload(): Promise<void> {
    const askedMs = this.#cluster.clock.monotonicMs();
    const place = { topic: this.kafkaName(topicsTopic), partition: 0 };
    const [end] = await this.#cluster.retrying("read its topics", place.topic, () =>
      this.#cluster.offsets([place], "replicated"),
    );
    const topics = new Map(this.#topics);
    await scan(this.#cluster, place, { from: this.#next, to: end!, committedOnly: true }, (head) => {
      const { values, count } = decodeRecords(head, place.topic);
      for (let i = 0; i < count; i++) {
        const text = Buffer.from(values.bytes.subarray(values.starts[i], values.starts[i + 1])).toString();
        const topic = JSON.parse(text) as TopicSettings;
        assertRecordFormat(topic, topicsTopic);
        this.#cluster.place(this.recordTopicOf(topic), topic.cluster);
        topics.set(topic.name, topic);
      }
    });
    this.#next = Math.max(this.#next, end!);
    this.#topics = topics;
    this.#readMs = askedMs;
  }

  ensure(wanted: readonly TopicSettings[]): Promise<void> {
    const changed = this.#changing.then(() => this.#ensure(wanted));
    this.#changing = changed.catch(() => undefined);
    return changed;
  }

  async #ensure(wanted: readonly TopicSettings[]): Promise<void> {
    await this.reload();
    for (const topic of wanted) {
      checkTopic(topic, this.#topics.get(topic.name));
      this.#cluster.named(topic.cluster);
      this.#cluster.place(this.recordTopicOf(topic), topic.cluster);
    }
    await this.#checkForeign(wanted.filter(({ foreign }) => foreign !== undefined));
    const changed = wanted.filter((topic) => !sameSettings(this.#topics.get(topic.name), topic));
    if (changed.length === 0) return;
    const own = changed.filter((topic) => isOwn(topic) && topic.foreign === undefined);
    const isThere = (topic: TopicSettings): boolean => {
      const known = this.#topics.get(topic.name);
      return known !== undefined && isOwn(known);
    };
    const missing = own.filter((topic) => !isThere(topic));
    await this.#create(
      missing.map(({ name, partitions, ...topic }) => ({ name, partitions, configs: configsOf(topic) })),
    );
    await this.#makeTurns(changed.filter(({ cluster }) => cluster !== undefined));
    const kept = own.filter(isThere);
    for (const topic of kept) await this.#alter(topic.name, configsOf(topic));
    const asKept = changed.map((topic) => this.#withEarlier(topic));
    for (const { name, partitions, earlier } of asKept)
      if (earlier !== undefined) await this.#grow(name, earlier.at(-1)!.partitions, partitions);
    const after = new Map([...this.#topics, ...asKept.map((topic) => [topic.name, topic] as const)]);
    const views = [...after.values()].filter(({ form }) => form === "updates");
    if (changed.some(({ form }) => form === "updates")) await this.#alter(journalTopic, journalConfigs(views));
    // Last: whoever reads of a topic finds it there.
    await this.#sender.send(
      { topic: this.kafkaName(topicsTopic), partition: 0 },
      asKept.map((topic) => ({ key: topic.name, value: JSON.stringify(plain(topic)) })),
    );
    await this.reload();
  }

  async #makeTurns(topics: readonly TopicSettings[]): Promise<void> {
    const fresh = topics.filter(({ name }) => !this.#topics.has(name));
    await this.#create(fresh.map(({ name, partitions }) => ({ name: turnsOf(name), partitions, configs: minutes })));
    for (const { name, partitions } of topics) {
      const known = this.#topics.get(name);
      if (known !== undefined) await this.#grow(turnsOf(name), known.partitions, partitions);
    }
  }

  #withEarlier(topic: TopicSettings): TopicSettings {
    const known = this.#topics.get(topic.name);
    if (known === undefined || topic.foreign !== undefined) return topic;
    if (grows(known, topic)) return grown(known, topic, this.#cluster.clock.now());
    return { ...topic, ...(known.earlier && { earlier: known.earlier }) };
  }

  /** Nobody uses what comes before the log says so: whoever comes again after a failure finds it there. */
  async #grow(name: string, from: number, partitions: number): Promise<void> {
    const place = this.kafkaName(name);
    const count = async (): Promise<number> => (await this.#cluster.leaders([place])).get(place)?.length ?? 0;
    const found = await this.#cluster.retrying("look for topics", place, count);
    if (found === partitions) return;
    if (found !== from) throw existsDifferently(name, "partitions", found, partitions);
    // Brokers choose where they are: the client's type has no word for it.
    const topic = { name: place, count: partitions, assignments: null as unknown as [] };
    const { requestTimeoutMs } = this.#cluster.settings;
    await this.#cluster.retrying("give a topic more partitions", place, async () =>
      createPartitionsV3.api.async(await this.#cluster.of(place).controller(), [topic], requestTimeoutMs, false),
    );
    await this.#cluster.retrying("find new partitions", place, async () => {
      if ((await count()) !== partitions) throw new ProtocolError("LEADER_NOT_AVAILABLE");
    });
  }

  /** @throws RdgError invalid, `unknown_topic` or `topic_exists_differently` */
  async #checkForeign(topics: readonly TopicSettings[]): Promise<void> {
    if (topics.length === 0) return;
    const names = [...new Set(topics.map((topic) => this.recordTopicOf(topic)))];
    const leaders = await this.#cluster.retrying("look for topics", names.join(", "), () =>
      this.#cluster.leaders(names),
    );
    for (const topic of topics) {
      const place = this.recordTopicOf(topic);
      const found = leaders.get(place)?.length ?? 0;
      if (found === 0) {
        throw new RdgError(
          "invalid",
          "unknown_topic",
          `Kafka has no topic ${place}, which ${topic.name} is read from.`,
          {
            place: topic.name,
            hint: "Correct the name in the definition, or ask the topic's owner.",
          },
        );
      }
      if (found !== topic.partitions) {
        throw new RdgError(
          "invalid",
          "topic_exists_differently",
          `The topic ${place} has ${found} partitions, the definition says ${topic.partitions}.`,
          { place: topic.name, hint: `Write partitions: ${found} in the definition.` },
        );
      }
    }
  }

  async #create(
    topics: readonly { readonly name: string; readonly partitions: number; readonly configs: Configs }[],
  ): Promise<void> {
    if (topics.length === 0) return;
    const { replicationFactor, minInsyncReplicas, batchBytesMax, requestTimeoutMs } = this.#cluster.settings;
    const common = {
      "message.timestamp.type": "LogAppendTime",
      "max.message.bytes": String(batchBytesMax + 1024),
      ...(minInsyncReplicas !== undefined && { "min.insync.replicas": String(minInsyncReplicas) }),
    };
    const names = topics.map(({ name }) => this.kafkaName(name));
    const existing = await this.#cluster.retrying("look for topics", names.join(", "), () =>
      this.#cluster.leaders(names),
    );
    const missing = topics.filter(({ name }) => !existing.has(this.kafkaName(name)));
    for (const { name, partitions, configs } of missing) {
      const place = this.kafkaName(name);
      const topic = {
        name: place,
        numPartitions: partitions,
        replicationFactor,
        assignments: [],
        configs: Object.entries({ ...common, ...configs }).map(([key, value]) => ({ name: key, value })),
      };
      await this.#cluster.retrying("create a topic", place, async () => {
        await createTopicsV7.api
          .async(await this.#cluster.of(place).controller(), [topic], requestTimeoutMs, false)
          .catch((error: unknown) => {
            if (!errorNames(error).includes("TOPIC_ALREADY_EXISTS")) throw error;
          });
      });
    }
    for (const { name, partitions } of topics) {
      const place = this.kafkaName(name);
      // A new topic is not known to every broker at once.
      const last = { topic: place, partition: 0 };
      await this.#cluster.retrying("find a new topic", place, () => this.#cluster.offsets([last], "first"));
      const found = (await this.#cluster.leaders([place])).get(place)!.length;
      if (found !== partitions) throw existsDifferently(name, "partitions", found, partitions);
    }
  }

  async #alter(name: string, configs: Configs): Promise<void> {
    const place = this.kafkaName(name);
    const changes = Object.entries(configs).map(([key, value]) => ({
      name: key,
      configOperation: IncrementalAlterConfigOperationTypes.SET,
      value,
    }));
    const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: place, configs: changes };
    await this.#cluster.retrying("change the retention of a topic", place, async () =>
      incrementalAlterConfigsV1.api.async(await this.#cluster.of(place).controller(), [resource], false),
    );
  }
}

const turnsOf = (topic: string): string => `rdg.turns.${topic}`;

/** Has a Kafka topic: all but views of the journal. */
function isOwn({ form, published }: TopicSettings): boolean {
  return form !== "updates" || published !== undefined;
}

function configsOf({ form, retention }: Pick<TopicSettings, "form" | "retention">): Configs {
  if (form === "compacted") {
    // Older versions of a key are kept for the retention, and a removal as well; without one nothing is ever compacted.
    const lag = retention.timeMs === undefined ? never : String(retention.timeMs);
    return {
      "cleanup.policy": "compact",
      "min.compaction.lag.ms": lag,
      "delete.retention.ms": String(retention.timeMs ?? 86_400_000),
    };
  }
  return {
    "cleanup.policy": "delete",
    "retention.ms": String(retention.timeMs ?? forEver),
    "retention.bytes": String(retention.sizeBytes ?? forEver),
  };
}

/** The journal is kept as long as the type topic that is kept longest; what is published is kept beside it, and says nothing about it. */
function journalConfigs(views: readonly TopicSettings[]): Configs {
  const longest = (pick: (retention: TopicSettings["retention"]) => number | undefined): string => {
    const values = views.map(({ retention, published }) => (published === undefined ? pick(retention) : undefined));
    return values.includes(undefined) ? forEver : String(Math.max(...(values as number[])));
  };
  return { "retention.ms": longest(({ timeMs }) => timeMs), "retention.bytes": longest(({ sizeBytes }) => sizeBytes) };
}

const topicName = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}$/;
const partitionsMax = 1024;
const forms: readonly TopicForm[] = ["records", "compacted", "updates"];

function checkTopic(topic: TopicSettings, known: TopicSettings | undefined): void {
  const { name, partitions, form } = topic;
  if (!topicName.test(name) || name.startsWith("rdg.")) {
    throw new RdgError("invalid", "bad_topic_name", `"${name}" cannot name a topic.`, {
      hint: "A topic's name has 1 to 200 letters, digits, dots, dashes and underscores and begins neither with a dot nor with rdg.",
    });
  }
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > partitionsMax || !forms.includes(form)) {
    throw new RdgError("invalid", "bad_topic", `Topic ${name} cannot have ${partitions} partitions in form ${form}.`, {
      place: name,
      hint: `A topic has 1 to ${partitionsMax} partitions and one of the forms ${forms.join(", ")}.`,
    });
  }
  if (topic.cluster !== undefined && (form !== "records" || !name.startsWith("events."))) {
    throw new RdgError("invalid", "wrong_cluster", `${name} cannot be on the cluster ${topic.cluster}.`, {
      place: name,
      hint: "Jobs write their windows, positions and quarantine in one transaction, which cannot span clusters: topics of events alone can be on another one.",
    });
  }
  if (known === undefined) return;
  for (const what of ["partitions", "form", "foreign", "cluster"] as const) {
    if (known[what] === topic[what] || (what === "partitions" && mayHave(known, topic))) continue;
    throw existsDifferently(name, what, known[what] ?? "its own", topic[what] ?? "its own");
  }
}

/** Others' topics have what they have. */
function mayHave(known: TopicSettings, topic: TopicSettings): boolean {
  return !isOwn(known) || known.foreign !== undefined || grows(known, topic);
}

function existsDifferently(name: string, what: string, is: string | number, wanted: string | number): RdgError {
  return new RdgError(
    "invalid",
    "topic_exists_differently",
    `Topic ${name} has ${what} ${is}, which cannot be changed to ${wanted}: it would lose or reorder records.`,
    { place: name, hint: "Give the topic another name and copy its records, or keep the setting." },
  );
}

function sameSettings(known: TopicSettings | undefined, wanted: TopicSettings): boolean {
  if (known === undefined) return false;
  const [a, b] = [known.retention, wanted.retention];
  if (known.published !== wanted.published || known.partitions !== wanted.partitions) return false;
  return a.timeMs === b.timeMs && a.sizeBytes === b.sizeBytes;
}

const plain = ({
  name,
  form,
  partitions,
  retention,
  foreign,
  published,
  earlier,
  cluster,
}: TopicSettings): TopicSettings => ({
  name,
  form,
  partitions,
  retention,
  ...(foreign !== undefined && { foreign }),
  ...(published !== undefined && { published }),
  ...(earlier !== undefined && { earlier }),
  ...(cluster !== undefined && { cluster }),
});
