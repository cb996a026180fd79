// What the log knows besides records: its topics, and the numbers and epochs of producers and job outputs. One small file, replaced atomically.
//
// File `metadata`: a first line "rdg-log-metadata <format> <crc32 of the rest, hexadecimal>", then JSON.
import { crc32 } from "node:zlib";
import { RdgError } from "../../core/errors.ts";
import type { TopicForm, TopicSettings } from "../port.ts";
import { fileFailed } from "./failures.ts";
import { type FileSystem, readWhole, removeIfThere, replaceFile } from "./file-system.ts";
import { unknownFormat } from "./segment-format.ts";

const metadataFormat = 1;
const fileName = "metadata";

export interface ProducerRecord {
  readonly name: string;
  /** What frames name it by; never used again for another. */
  readonly number: number;
  readonly epoch: number;
}

export interface JobRecord {
  readonly name: string;
  readonly epoch: number;
}

interface Content {
  topics: TopicSettings[];
  producers: ProducerRecord[];
  jobs: JobRecord[];
}

export class Metadata {
  readonly #fileSystem: FileSystem;
  readonly #folder: string;
  readonly #ownersMax: number;
  #content: Content;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(fileSystem: FileSystem, folder: string, ownersMax: number, content: Content) {
    this.#fileSystem = fileSystem;
    this.#folder = folder;
    this.#ownersMax = ownersMax;
    this.#content = content;
  }

  /** `create` is what to do before a folder without metadata becomes a log. */
  static async open(
    fileSystem: FileSystem,
    folder: string,
    ownersMax: number,
    create: () => Promise<void>,
  ): Promise<Metadata> {
    const path = `${folder}/${fileName}`;
    await removeIfThere(fileSystem, `${path}.new`);
    const bytes = await readWhole(fileSystem, path);
    // Its last change may not be durable yet, if that is when the process was killed.
    await fileSystem.syncFolder(folder);
    if (bytes !== undefined) return new Metadata(fileSystem, folder, ownersMax, decode(bytes, path));
    await create();
    const content: Content = { topics: [], producers: [], jobs: [] };
    await replaceFile(fileSystem, folder, fileName, encode(content));
    return new Metadata(fileSystem, folder, ownersMax, content);
  }

  get topics(): readonly TopicSettings[] {
    return this.#content.topics;
  }

  saveTopics(topics: readonly TopicSettings[]): Promise<void> {
    return this.#change((content) => {
      content.topics = [...topics];
    });
  }

  /** A new epoch for a producer: its earlier owners are fenced. */
  async takeProducer(name: string): Promise<ProducerRecord> {
    let taken: ProducerRecord | undefined;
    await this.#change((content) => {
      const known = content.producers.find((producer) => producer.name === name);
      const highest = content.producers.reduce((most, producer) => Math.max(most, producer.number), 0);
      if (known === undefined) this.#checkRoom(content.producers.length, "producer");
      taken = { name, number: known?.number ?? highest + 1, epoch: (known?.epoch ?? 0) + 1 };
      content.producers = [...content.producers.filter((producer) => producer.name !== name), taken];
    });
    return taken!;
  }

  async takeJob(name: string): Promise<JobRecord> {
    let taken: JobRecord | undefined;
    await this.#change((content) => {
      const known = content.jobs.find((job) => job.name === name);
      if (known === undefined) this.#checkRoom(content.jobs.length, "job");
      taken = { name, epoch: (known?.epoch ?? 0) + 1 };
      content.jobs = [...content.jobs.filter((job) => job.name !== name), taken];
    });
    return taken!;
  }

  #checkRoom(count: number, what: string): void {
    if (count < this.#ownersMax) return;
    throw new RdgError("overloaded", "too_many_owners", `The log knows ${count} ${what} names already.`, {
      hint: `Use one ${what} name per program, not one per run.`,
    });
  }

  /** Resolves when no change is under way. */
  async idle(): Promise<void> {
    await this.#last;
  }

  /** Changes follow one another; what is in memory changes only when the file has. */
  #change(change: (content: Content) => void): Promise<void> {
    const changed = this.#last.then(async () => {
      const content = { ...this.#content };
      change(content);
      try {
        await replaceFile(this.#fileSystem, this.#folder, fileName, encode(content));
      } catch (cause) {
        throw fileFailed(cause, "store its settings", `${this.#folder}/${fileName}`);
      }
      this.#content = content;
    });
    this.#last = changed.catch(() => undefined);
    return changed;
  }
}

function encode(content: Content): Buffer {
  const body = `${JSON.stringify(content, undefined, 1)}\n`;
  return Buffer.from(`rdg-log-metadata ${metadataFormat} ${crc32(body).toString(16).padStart(8, "0")}\n${body}`);
}

function decode(bytes: Buffer, path: string): Content {
  const lineEnd = bytes.indexOf(0x0a);
  const line = /^rdg-log-metadata (\d{1,9}) ([0-9a-f]{8})$/.exec(bytes.toString("latin1", 0, Math.max(0, lineEnd)));
  if (line === null) throw damagedMetadata(path, 0, "its first line cannot be read");
  if (Number(line[1]) !== metadataFormat) throw unknownFormat(path, Number(line[1]), metadataFormat);
  const body = bytes.subarray(lineEnd + 1);
  if (crc32(body) !== Number.parseInt(line[2]!, 16)) {
    throw damagedMetadata(path, lineEnd + 1, "the checksum does not match");
  }
  const { topics, producers, jobs } = JSON.parse(body.toString("utf8")) as Content;
  return { topics, producers, jobs };
}

function damagedMetadata(path: string, position: number, what: string): RdgError {
  return new RdgError("corrupt", "metadata_damaged", `The log's metadata is damaged at byte ${position}: ${what}.`, {
    place: `${path}:${position}`,
    hint: "Restore this file from a copy of the log folder.",
  });
}

const topicName = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}$/;
const partitionsMax = 1024;
const forms: readonly TopicForm[] = ["records", "compacted", "updates"];

/** The topics after `ensureTopics`; undefined when nothing changes. */
export function mergedTopics(
  known: readonly TopicSettings[],
  wanted: readonly TopicSettings[],
): readonly TopicSettings[] | undefined {
  const merged = new Map(known.map((topic) => [topic.name, topic]));
  let changed = false;
  for (const topic of wanted) {
    if (topic.foreign !== undefined) throw noForeignTopics(topic);
    if (topic.published !== undefined) throw notPublished(topic);
    const old = merged.get(topic.name);
    if (old === undefined) checkNew(topic, merged);
    else checkKept(old, topic);
    const kept = { ...topic, retention: { ...topic.retention } };
    changed ||= old === undefined || !sameRetention(old, kept);
    merged.set(topic.name, kept);
  }
  return changed ? [...merged.values()] : undefined;
}

function noForeignTopics({ name, foreign }: TopicSettings): RdgError {
  return new RdgError(
    "invalid",
    "no_foreign_topics",
    `${name} cannot be the topic ${foreign}: nobody else has topics here.`,
    {
      place: name,
      hint: "Topics of others are read from Kafka.",
    },
  );
}

function notPublished({ name }: TopicSettings): RdgError {
  return new RdgError("invalid", "not_published", `${name} cannot be published: nobody else reads this log.`, {
    place: name,
    hint: "Type topics are published over Kafka.",
  });
}

function sameRetention(a: TopicSettings, b: TopicSettings): boolean {
  return a.retention.timeMs === b.retention.timeMs && a.retention.sizeBytes === b.retention.sizeBytes;
}

function checkNew(topic: TopicSettings, known: ReadonlyMap<string, TopicSettings>): void {
  const { name, partitions, form } = topic;
  if (!topicName.test(name)) {
    throw new RdgError("invalid", "bad_topic_name", `"${name}" cannot name a topic.`, {
      hint: "A topic's name has 1 to 200 letters, digits, dots, dashes and underscores and does not begin with a dot.",
    });
  }
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > partitionsMax || !forms.includes(form)) {
    throw new RdgError("invalid", "bad_topic", `Topic ${name} cannot have ${partitions} partitions in form ${form}.`, {
      place: name,
      hint: `A topic has 1 to ${partitionsMax} partitions and one of the forms ${forms.join(", ")}.`,
    });
  }
  // Folders are named after topics, and some file systems do not tell upper from lower case.
  const folded = name.toLowerCase();
  for (const other of known.keys()) {
    if (other !== name && other.toLowerCase() === folded) {
      throw new RdgError(
        "invalid",
        "topic_name_taken",
        `${name} differs from topic ${other} in upper and lower case only.`,
        {
          place: name,
          hint: "Choose another name.",
        },
      );
    }
  }
}

function checkKept(old: TopicSettings, topic: TopicSettings): void {
  for (const what of ["partitions", "form"] as const) {
    if (old[what] === topic[what]) continue;
    throw new RdgError(
      "invalid",
      "topic_exists_differently",
      `Topic ${topic.name} has ${what} ${old[what]}, which cannot be changed to ${topic[what]}: it would lose or reorder records.`,
      { place: topic.name, hint: "Give the topic another name and copy its records, or keep the setting." },
    );
  }
}
