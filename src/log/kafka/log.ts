// The log on Kafka: see docs/kafka.md for its topics and docs/adr/0103 to 0105 for its decisions.
import { describeLogDirsV4 } from "@platformatic/kafka";
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import { type Random, randomId, systemRandom } from "../../core/random.ts";
import type {
  JobOutput,
  JobWorker,
  Log,
  PartitionBounds,
  Producer,
  ReadOptions,
  ReadUpdatesOptions,
  RecordFrame,
  TopicSettings,
  UpdateFrame,
} from "../port.ts";
import { BrokerTime } from "./broker-time.ts";
import { KafkaCluster, type TopicPartition } from "./cluster.ts";
import { Directory } from "./directory.ts";
import { errorNames, logClosed } from "./failures.ts";
import { lookAgainMs, sourcesOf } from "./growth.ts";
import { type JobOutputOptions, KafkaJobOutput } from "./job-output.ts";
import { KafkaJobWorker } from "./job-worker.ts";
import { type EarlierBatches, Lane } from "./lane.ts";
import { Owner } from "./owner.ts";
import { PlainSender } from "./plain-sender.ts";
import { KafkaProducer } from "./producer.ts";
import { cursorsOf, type ReadContext, readRecords, readTransactions } from "./reading.ts";
import { visibleEnd } from "./scan.ts";
import { kafkaLogDefaults, type KafkaConnection, type KafkaLogSettings, retryHorizonMs } from "./settings.ts";
import { type BatchBudget, StoredBatches } from "./stored-batches.ts";
import { VisibleEnds } from "./visible-ends.ts";

export interface KafkaLogOptions {
  readonly connection: KafkaConnection;
  /** Clusters beside it, by name, for topics of events that are placed there. */
  readonly clusters?: ReadonlyMap<string, KafkaConnection> | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly settings?: Partial<KafkaLogSettings>;
  readonly random?: Random;
}

/**
 * Creates the topics that the log itself needs where they are missing.
 * @throws RdgError unavailable, `kafka_unavailable`; unauthorized, `kafka_login_refused`, `kafka_forbidden`
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<Log> {
  const { connection, clusters, clock, timers, random = systemRandom } = options;
  const settings = { ...kafkaLogDefaults, ...options.settings };
  const cluster = new KafkaCluster({ connection, clusters, settings, clock, timers, random });
  try {
    const log = new KafkaLog(cluster, settings.instance ?? randomId(random));
    await log.directory.open();
    return log;
  } catch (error) {
    cluster.close();
    throw error;
  }
}

/** Times are whole milliseconds: a record that is to be later than one that was acknowledged is sent so much after it. */
const laterMs = 2;
const ownerNameMax = 200;

class KafkaLog implements Log {
  readonly sparse = true;
  readonly prefix: string;
  readonly directory: Directory;
  readonly #cluster: KafkaCluster;
  readonly #sender: PlainSender;
  readonly #ends: VisibleEnds;
  readonly #time: BrokerTime;
  readonly #context: ReadContext;
  readonly #producers = new Map<string, KafkaProducer>();
  readonly #outputs = new Map<string, KafkaJobOutput>();
  readonly #workers = new Set<KafkaJobWorker>();
  readonly #instance: string;
  readonly #lanes = new Map<string, Lane[]>();
  readonly #stored = new Map<string, StoredBatches>();
  readonly #budget: BatchBudget;
  readonly #visible = new Map<string, { readonly end: number; readonly next: number }>();
  readonly #closed = new AbortController();
  /** Time of the latest frame that a reader was shown. */
  #shownMs = -Infinity;
  #closing: Promise<void> | undefined;
  #looksAgain = false;

  constructor(cluster: KafkaCluster, instance: string) {
    this.#instance = instance;
    this.prefix = cluster.settings.prefix;
    const sender = new PlainSender(cluster);
    this.#cluster = cluster;
    this.#sender = sender;
    this.directory = new Directory(cluster, sender);
    this.#ends = new VisibleEnds(cluster);
    this.#time = new BrokerTime(cluster, this.directory, sender);
    this.#budget = { used: 0, max: cluster.settings.rememberedBatchesMax };
    const shown = (timestampMs: number): void => {
      if (timestampMs > this.#shownMs) this.#shownMs = timestampMs;
    };
    this.#context = { cluster, directory: this.directory, closed: this.#closed.signal, shown };
  }

  async ensureTopics(topics: readonly TopicSettings[]): Promise<void> {
    this.#checkOpen();
    await this.directory.ensure(topics);
  }

  async topics(): Promise<readonly TopicSettings[]> {
    this.#checkOpen();
    await this.directory.reload();
    return this.directory.topics;
  }

  async producer(name: string): Promise<Producer> {
    this.#checkOpen();
    checkOwnerName(name);
    await this.directory.reload();
    const records = this.directory.topics.filter(({ form, foreign }) => form !== "updates" && foreign === undefined);
    const owners = new Map<string | undefined, Owner>();
    for (const place of [undefined, ...this.#cluster.others.keys()]) {
      const owner = await Owner.take(this.#cluster.named(place), this.directory.kafkaName(`rdg.producer.${name}`));
      owners.set(place, owner);
    }
    this.#producers.get(name)?.takenOver();
    for (const [place, owner] of owners) {
      const mine = records.filter(({ cluster }) => cluster === place);
      await owner.fence(mine.flatMap((topic) => this.directory.partitionsOf(topic)));
    }
    this.#checkOpen();
    const openLane = (topic: TopicSettings, partition: number): Lane => {
      this.#cluster.named(topic.cluster);
      return this.#openLane(owners.get(topic.cluster)!, name, topic, partition);
    };
    const nowMs = (): number => this.#cluster.clock.now();
    const producer = new KafkaProducer({ name, directory: this.directory, nowMs, openLane });
    this.#producers.set(name, producer);
    this.#lookAgain();
    return producer;
  }

  async jobOutput(name: string): Promise<JobOutput> {
    this.#checkOpen();
    checkOwnerName(name);
    await this.directory.reload();
    const output = await KafkaJobOutput.takeOver(this.#outputOptions(name));
    this.#outputs.get(name)?.takenOver();
    this.#checkOpen();
    this.#outputs.set(name, output);
    return output;
  }

  async joinJob(name: string, topic: string): Promise<JobWorker> {
    this.#checkOpen();
    checkOwnerName(name);
    await this.directory.reload();
    const settings = await this.directory.find(topic);
    if (settings.form === "updates") throw notRecords(topic);
    const process = { instance: this.#instance, sender: this.#sender };
    const worker = await KafkaJobWorker.join({ ...this.#outputOptions(name), topic: settings, ...process });
    this.#workers.add(worker);
    this.#lookAgain();
    return worker;
  }

  read(options: ReadOptions): AsyncIterable<RecordFrame> {
    const { directory } = this;
    const known = options.topics.map((topic) => directory.known(topic));
    // Ends are where the partitions end now, not when the reading begins.
    const begun = this.#begin(known.every((topic) => topic !== undefined) ? known : undefined, options);
    begun.catch(() => undefined);
    return readFrom(begun, (cursors) => readRecords(this.#context, cursors, options));
  }

  readUpdates(options: ReadUpdatesOptions): AsyncIterable<UpdateFrame> {
    return readFrom(
      Promise.resolve().then(() => this.#checkOpen()),
      () => readTransactions(this.#context, options),
    );
  }

  async bounds(topic: string): Promise<readonly PartitionBounds[]> {
    this.#checkOpen();
    const places = this.directory.partitionsOf(await this.directory.find(topic));
    const [firsts, next, sizes] = await Promise.all([
      this.#offsets(places, "first"),
      this.#ends.ask(places).then((ends) => this.#visibleEnds(places, ends)),
      this.#sizes(places),
    ]);
    return places.map(({ partition }, i) => ({ partition, first: firsts[i]!, next: next[i]!, sizeBytes: sizes[i]! }));
  }

  async settled(topic: string): Promise<{ timestampMs: number; next: readonly number[] }> {
    this.#checkOpen();
    const settings = await this.directory.find(topic);
    const places = this.directory.partitionsOf(settings);
    await Promise.all((this.#lanes.get(settings.name) ?? []).map((lane) => lane.pending()));
    const shownMs = this.#shownMs;
    const until = this.#cluster.clock.monotonicMs() + clocksAgreeWithinMs;
    let timeMs = await this.#time.now(places);
    while (timeMs - 1 < shownMs && this.#cluster.clock.monotonicMs() < until) {
      await this.#cluster.timers.sleep(1);
      timeMs = await this.#time.now(places);
    }
    // What a leader has written may not be readable yet: its followers lack it.
    const written = await this.#offsets(places, "written");
    let ends = await this.#ends.ask(places);
    while (ends.some((end, i) => end < written[i]!)) {
      await this.#cluster.timers.sleep(laterMs);
      ends = await this.#ends.ask(places);
    }
    return { timestampMs: timeMs - 1, next: await this.#visibleEnds(places, ends) };
  }

  /** Brokers apply retention and compaction. */
  async maintain(): Promise<void> {
    this.#checkOpen();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const owners = [...this.#producers.values(), ...this.#outputs.values()];
    const idle = owners.map((owner) => {
      owner.end(logClosed());
      return owner.idle();
    });
    await Promise.all([...idle, ...[...this.#workers].map((worker) => worker.leave())]);
    this.#closed.abort(logClosed());
    this.#cluster.close();
  }

  async #begin(
    known: readonly (TopicSettings | undefined)[] | undefined,
    options: ReadOptions,
  ): ReturnType<typeof cursorsOf> {
    this.#checkOpen();
    const topics =
      (known as readonly TopicSettings[] | undefined) ??
      (await Promise.all(options.topics.map((topic) => this.directory.find(topic))));
    for (const { name, form, published } of topics)
      if (form === "updates" && published === undefined) throw notRecords(name);
    return await cursorsOf(this.#context, topics, options, (places) => this.#ends.ask(places));
  }

  /** Topics may grow while producers and workers go by them. */
  #lookAgain(): void {
    if (this.#looksAgain) return;
    this.#looksAgain = true;
    void (async () => {
      const { signal } = this.#closed;
      while (!signal.aborted) {
        try {
          await this.#cluster.timers.sleep(lookAgainMs, signal);
          await this.directory.reload();
          for (const worker of this.#workers) worker.lookAgain();
        } catch {
          // Whoever shares records out asks again before it does (producer.ts).
        }
      }
    })();
  }

  #outputOptions(name: string): JobOutputOptions {
    const { directory } = this;
    const checkQuarantine = (topic: string): void => checkQuarantineTopic(topic, directory.known(topic));
    const checkPublished = (topic: string, partition: number): void =>
      checkPublishedTopic(topic, partition, directory.known(topic));
    return { cluster: this.#cluster, directory, ends: this.#ends, name, checkQuarantine, checkPublished };
  }

  #openLane(owner: Owner, name: string, topic: TopicSettings, partition: number): Lane {
    const place = this.directory.partitionsOf(topic)[partition]!;
    const stored = this.#storedIn(place);
    const settings = (): TopicSettings => this.directory.known(topic.name)!;
    const sources = (): readonly EarlierBatches[] =>
      sourcesOf(settings(), partition, this.#cluster.clock.now() - retryHorizonMs).map((source) => ({
        ...source,
        stored: this.#storedIn({ ...place, partition: source.partition }),
      }));
    const beforeSending = async (): Promise<void> => {
      // Later than whatever anybody was told of until now.
      if (topic.form === "compacted") await this.#cluster.timers.sleep(laterMs);
      await this.#ends.asked();
    };
    const where = { cluster: this.#cluster, owner, name, topic: topic.name, place };
    const lane = new Lane({ ...where, stored, settings, sources, beforeSending });
    this.#lanes.set(topic.name, [...(this.#lanes.get(topic.name) ?? []), lane]);
    return lane;
  }

  #storedIn(place: TopicPartition): StoredBatches {
    const id = `${place.topic}/${place.partition}`;
    let stored = this.#stored.get(id);
    if (stored === undefined) this.#stored.set(id, (stored = new StoredBatches(this.#cluster, place, this.#budget)));
    return stored;
  }

  #offsets(places: readonly TopicPartition[], kind: "first" | "written"): Promise<number[]> {
    return this.#cluster.retrying("read", places[0]!.topic, () => this.#cluster.offsets(places, kind));
  }

  async #visibleEnds(places: readonly TopicPartition[], ends: readonly number[]): Promise<number[]> {
    const firsts = await this.#offsets(places, "first");
    return await Promise.all(
      places.map(async (place, i) => {
        const [id, end, first] = [`${place.topic}/${place.partition}`, ends[i]!, firsts[i]!];
        const known = this.#visible.get(id);
        if (known?.end === end) return Math.max(known.next, first);
        const next = await visibleEnd(this.#cluster, place, first, end);
        this.#visible.set(id, { end, next });
        return next;
      }),
    );
  }

  async #sizes(places: readonly TopicPartition[]): Promise<number[]> {
    return await Promise.all(
      places.map((place) =>
        this.#cluster.retrying("ask for sizes", place.topic, async () => {
          const connection = await this.#cluster.connection(await this.#cluster.brokerOf(place));
          const asked = [{ name: place.topic, partitions: [place.partition] }];
          const answer = await describeLogDirsV4.api.async(connection, asked).catch((error: unknown) => {
            // Whoever may not ask has no sizes, but everything else.
            if (errorNames(error).includes("CLUSTER_AUTHORIZATION_FAILED")) return { results: [] };
            throw error;
          });
          const found = answer.results.flatMap(({ topics }) => topics.flatMap(({ partitions }) => partitions));
          return found.reduce((sum, { partitionSize }) => sum + Number(partitionSize), 0);
        }),
      ),
    );
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw logClosed();
  }
}

/** Longer than this, nobody waits for one broker's clock to reach what another one has given as a time. */
const clocksAgreeWithinMs = 2_000;

async function* readFrom<T, Frame>(begun: Promise<T>, read: (begun: T) => AsyncIterable<Frame>): AsyncGenerator<Frame> {
  yield* read(await begun);
}

function checkOwnerName(name: string): void {
  if (name.length >= 1 && name.length <= ownerNameMax) return;
  throw new RdgError("invalid", "bad_owner_name", `The name of a producer or job has 1 to ${ownerNameMax} characters.`);
}

function checkQuarantineTopic(topic: string, known: TopicSettings | undefined): void {
  if (topic.startsWith("quarantine.") && known?.form === "records" && known.partitions === 1) return;
  throw new RdgError("invalid", "not_a_quarantine_topic", `${topic} cannot take records that jobs quarantine.`, {
    place: topic,
    hint: "It must be named quarantine.<job> and have the form records and one partition.",
  });
}

function checkPublishedTopic(topic: string, partition: number, known: TopicSettings | undefined): void {
  if (known?.published !== undefined && partition >= 0 && partition < known.partitions) return;
  throw new RdgError("invalid", "not_published", `${topic}/${partition} takes no records of jobs.`, {
    place: topic,
    hint: "Only type topics that are published do (setting published).",
  });
}

function notRecords(topic: string): RdgError {
  return new RdgError("invalid", "not_a_record_topic", `${topic} holds updates, not records.`, {
    place: topic,
    hint: "Read it with readUpdates.",
  });
}
