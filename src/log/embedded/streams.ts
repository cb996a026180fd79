import { RdgError } from "../../core/errors.ts";
// All streams of a log: the journal and the partitions of its record topics, created and opened by their place in the folder.
import type { TopicSettings } from "../port.ts";
import type { KeyBudget } from "./idempotency-keys.ts";
import { Journal, JournalContent, journalName, type JournalState } from "./journal.ts";
import type { LogTime } from "./log-time.ts";
import { RecordContent, RecordPartition } from "./record-partition.ts";
import { type Cut, type Recovery, recoverSegments } from "./recovery.ts";
import { streamKind } from "./segment-format.ts";
import {
  createSegment,
  type Segment,
  segmentPath,
  segmentStart,
  type StreamIdentity,
  segmentSuffix,
} from "./segment.ts";
import { Stream, type StreamParts } from "./stream.ts";

const minuteMs = 60_000;
const segmentBytesMin = 65_536;

interface Topic {
  settings: TopicSettings;
  readonly partitions: readonly RecordPartition[];
}

export class Streams {
  readonly parts: StreamParts;
  readonly keyBudget: KeyBudget;
  readonly cuts: Cut[] = [];
  readonly #folder: string;
  readonly #time: LogTime;
  readonly #recovery: Recovery;
  readonly #topics = new Map<string, Topic>();
  #journal: Journal | undefined;

  constructor(folder: string, parts: StreamParts, time: LogTime) {
    this.#folder = folder;
    this.parts = parts;
    this.#time = time;
    const { fileSystem, settings } = parts;
    this.keyBudget = { used: 0, max: settings.idempotencyKeysMax };
    this.#recovery = { fileSystem, settings, verify: { bytes: settings.verifyOnOpenBytesMax }, cuts: this.cuts };
  }

  /** A folder without metadata becomes a log, unless it holds records: then the metadata was lost. */
  async createJournal(): Promise<void> {
    const { fileSystem } = this.parts;
    const topics = await fileSystem.list(`${this.#folder}/records`);
    const segments = (await fileSystem.list(this.#journalIdentity.folder)).filter((name) =>
      name.endsWith(segmentSuffix),
    );
    if (topics.length > 0 || segments.length > 1) {
      throw new RdgError("corrupt", "metadata_missing", "The log folder holds records but no metadata.", {
        place: `${this.#folder}/metadata`,
        hint: "Restore this file from a copy of the log folder.",
      });
    }
    if (segments.length === 0) await this.#createStream(this.#journalIdentity, new JournalContent().snapshot());
    else await fileSystem.syncFolder(this.#journalIdentity.folder);
  }

  async openJournal(): Promise<Journal> {
    const content = new JournalContent();
    const segments = await recoverSegments(this.#recovery, this.#journalIdentity, content, 0);
    const { settings } = this.parts;
    const stream = new Stream({
      identity: this.#journalIdentity,
      content,
      parts: { ...this.parts, visibleBefore: () => Infinity },
      segments,
      tailBytesMax: settings.journalTailBytesMax,
      segmentBytesMax: () => settings.segmentBytes,
      segmentMsMax: () => settings.segmentMs,
    });
    this.#journal = new Journal(stream, content, this.#time);
    return this.#journal;
  }

  /** Folders and first segments of a topic. A crash before its metadata is stored leaves them to be found by the next attempt. */
  async createTopic(topic: TopicSettings): Promise<void> {
    if (topic.form === "updates") return;
    const { fileSystem } = this.parts;
    for (let partition = 0; partition < topic.partitions; partition++) {
      const identity = this.#partitionIdentity(topic.name, partition);
      const names = await fileSystem.list(identity.folder);
      const content = new RecordContent(topic.name, partition, this.keyBudget);
      // What an attempt before has left has its name, but perhaps not durably.
      if (names.some((name) => name.endsWith(segmentSuffix))) await fileSystem.syncFolder(identity.folder);
      else await this.#createStream(identity, content.snapshot(0));
    }
    await fileSystem.syncFolder(`${this.#folder}/records/${topic.name}`);
    await fileSystem.syncFolder(`${this.#folder}/records`);
    await fileSystem.syncFolder(this.#folder);
  }

  async openTopic(topic: TopicSettings): Promise<void> {
    const partitions: RecordPartition[] = [];
    const own = topic.form === "updates" ? 0 : topic.partitions;
    for (let partition = 0; partition < own; partition++) partitions.push(await this.#openPartition(topic, partition));
    this.#topics.set(topic.name, { settings: topic, partitions });
  }

  has(topic: string): boolean {
    return this.#topics.has(topic);
  }

  setRetention(topic: TopicSettings): void {
    this.#topics.get(topic.name)!.settings = topic;
  }

  partitions(topic: string): readonly RecordPartition[] {
    return this.#topics.get(topic)?.partitions ?? [];
  }

  all(): RecordPartition[] {
    return [...this.#topics.values()].flatMap(({ partitions }) => partitions);
  }

  lastMs(): number {
    const streams = [this.#journal!.stream, ...this.all().map(({ stream }) => stream)];
    return Math.max(...streams.map((stream) => stream.current.content.lastMs));
  }

  /** First kept offset of a job's quarantine topic: its next one when the first kept journal segment began. */
  quarantineStart(topic: string): number {
    return startOf(this.#journal!.stream.segments[0]!.state, topic);
  }

  /** Journal offset from which a quarantine topic's records from `offset` on are found. */
  quarantineSegment(topic: string, offset: number): number {
    const { segments } = this.#journal!.stream;
    const found = segments.findLast(({ state }) => startOf(state, topic) <= offset) ?? segments[0]!;
    return found.header.base;
  }

  /** Topics of which a closed journal segment holds quarantined records. */
  quarantinedIn(segment: Segment): string[] {
    const { segments } = this.#journal!.stream;
    const behind = segments[segments.indexOf(segment) + 1]!.state as JournalState;
    return behind.quarantined.filter(([topic, next]) => next > startOf(segment.state, topic)).map(([topic]) => topic);
  }

  get #journalIdentity(): StreamIdentity {
    return { folder: `${this.#folder}/${journalName}`, name: journalName, kind: streamKind.journal, partition: 0 };
  }

  #partitionIdentity(topic: string, partition: number): StreamIdentity {
    const folder = `${this.#folder}/records/${topic}/${partition}`;
    return { folder, name: topic, kind: streamKind.records, partition };
  }

  async #createStream(identity: StreamIdentity, state: unknown): Promise<void> {
    const { fileSystem, random } = this.parts;
    await fileSystem.makeFolder(identity.folder);
    const header = {
      kind: identity.kind,
      partition: identity.partition,
      base: 0,
      createdMs: this.#time.lastMs,
      coversTo: 0,
      salt: random.below(2 ** 32),
    };
    const start = segmentStart(identity, header, state);
    const file = await createSegment(fileSystem, identity.folder, segmentPath(identity.folder, 0), start);
    await file.close();
    await fileSystem.syncFolder(this.#folder);
  }

  async #openPartition(topic: TopicSettings, partition: number): Promise<RecordPartition> {
    const identity = this.#partitionIdentity(topic.name, partition);
    const content = new RecordContent(topic.name, partition, this.keyBudget);
    const provenNext = this.#journal!.content.consumedNext(topic.name, partition);
    const segments = await recoverSegments(this.#recovery, identity, content, provenNext);
    const { settings } = this.parts;
    const retention = (): TopicSettings["retention"] => this.#topics.get(topic.name)!.settings.retention;
    const stream = new Stream({
      identity,
      content,
      parts: this.parts,
      segments,
      tailBytesMax: settings.tailBytesMax,
      // Retention drops whole files, so a short retention needs small ones.
      segmentBytesMax: () =>
        Math.min(settings.segmentBytes, Math.max(segmentBytesMin, (retention().sizeBytes ?? Infinity) / 4)),
      segmentMsMax: () => Math.min(settings.segmentMs, Math.max(minuteMs, (retention().timeMs ?? Infinity) / 4)),
    });
    this.#time.watch(() => stream.publish());
    return new RecordPartition(stream, content, topic.form, this.#time);
  }
}

function startOf(state: unknown, topic: string): number {
  return (state as JournalState).quarantined.find(([name]) => name === topic)?.[1] ?? 0;
}
