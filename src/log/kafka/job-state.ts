// Where a job goes on, as records of `rdg.jobs`: one for a job with one owner, one for each partition where workers share them out.
import type { Position } from "../../model/position.ts";
import type { JobCounters, JobTransaction, RecordBatch } from "../port.ts";
import type { KafkaCluster, TopicPartition } from "./cluster.ts";
import { jobsTopic } from "./directory.ts";
import type { KeyedText } from "./plain-sender.ts";
import { decodeRecords } from "./record-batch.ts";
import { assertRecordFormat } from "./record-format.ts";
import { scan } from "./scan.ts";

/** How an output keeps where the job goes on, in its transactions. */
export interface Progress {
  /** @throws RdgError invalid for what it cannot keep */
  check(transaction: JobTransaction): void;
  step(inputs: readonly Position[], counters: JobCounters): ProgressStep;
}

export interface ProgressStep {
  /** For `rdg.jobs`. */
  readonly records: readonly KeyedText[];
  /** What else is part of the transaction; begun when its partitions are. */
  readonly join?: () => Promise<void>;
}

type Places = readonly (readonly [string, number, number])[];

interface JobState {
  readonly committed: readonly Position[];
  readonly counters: JobCounters;
}

/** Of a job whose whole input one owner reads. */
export class WholeProgress implements Progress {
  readonly #name: string;
  /** Last consumed position by topic and partition. */
  readonly #consumed = new Map<string, Position>();

  constructor(name: string, committed: readonly Position[]) {
    this.#name = name;
    this.#consume(committed);
  }

  check(): void {}

  step(inputs: readonly Position[], counters: JobCounters): ProgressStep {
    this.#consume(inputs);
    const committed: Places = [...this.#consumed.values()].map(({ topic, partition, offset }) => [
      topic,
      partition,
      offset,
    ]);
    return { records: [{ key: this.#name, value: JSON.stringify({ committed, counters }) }] };
  }

  #consume(positions: readonly Position[]): void {
    for (const position of positions) this.#consumed.set(`${position.topic}/${position.partition}`, position);
  }
}

export function decodeState(text: string): JobState {
  const state = JSON.parse(text) as { committed: Places; counters: JobCounters };
  assertRecordFormat(state, jobsTopic);
  const { committed, counters } = state;
  return { committed: committed.map(([topic, partition, offset]) => ({ topic, partition, offset })), counters };
}

interface Undecided {
  readonly key: string;
  readonly text: string;
  readonly offset: number;
  readonly producerId: bigint;
}

/** What was committed last under these keys of `rdg.jobs`, whatever other transactions are open in between. */
export async function committedStates(
  cluster: KafkaCluster,
  place: TopicPartition,
  keys: ReadonlySet<string>,
): Promise<ReadonlyMap<string, string>> {
  const { stable, end } = await endsOf(cluster, place);
  const last = new Map<string, Undecided>();
  const commit = (record: Undecided): void => {
    if ((last.get(record.key)?.offset ?? -1) < record.offset) last.set(record.key, record);
  };
  const undecided = await follow(cluster, place, { keys, from: 0, to: end, commit });
  // Below the stable end everything is decided: what has no marker lost it to compaction, which keeps committed records only.
  for (const record of undecided) if (record.offset < stable) commit(record);
  return new Map([...last].map(([key, { text }]) => [key, text]));
}

/** What transactions that are not decided say under these keys of `rdg.jobs`. */
export async function openStates(
  cluster: KafkaCluster,
  place: TopicPartition,
  keys: ReadonlySet<string>,
): Promise<readonly string[]> {
  const { stable, end } = await endsOf(cluster, place);
  const undecided = await follow(cluster, place, { keys, from: stable, to: end, commit: () => undefined });
  return undecided.map(({ text }) => text);
}

async function endsOf(cluster: KafkaCluster, place: TopicPartition): Promise<{ stable: number; end: number }> {
  const endOf = async (kind: "stable" | "replicated"): Promise<number> => {
    const [end] = await cluster.retrying("take over", place.topic, () => cluster.offsets([place], kind));
    return end!;
  };
  return { stable: await endOf("stable"), end: await endOf("replicated") };
}

interface FollowOptions {
  readonly keys: ReadonlySet<string>;
  readonly from: number;
  readonly to: number;
  readonly commit: (record: Undecided) => void;
}

/** Returns the records without a marker behind them. */
async function follow(
  cluster: KafkaCluster,
  place: TopicPartition,
  { keys, from, to, commit }: FollowOptions,
): Promise<readonly Undecided[]> {
  let undecided: Undecided[] = [];
  await scan(cluster, place, { from, to, committedOnly: false }, (head) => {
    const { producerId } = head;
    if (head.control !== undefined) {
      const decided = undecided.filter((record) => record.producerId === producerId);
      if (head.control === "commit") for (const record of decided) commit(record);
      undecided = undecided.filter((record) => record.producerId !== producerId);
      return;
    }
    const { count, keys: found, values, deltas } = decodeRecords(head, place.topic);
    for (let i = 0; i < count; i++) {
      const text = ({ bytes, starts }: RecordBatch["values"]): string =>
        Buffer.from(bytes.subarray(starts[i], starts[i + 1])).toString();
      const key = found === undefined ? "" : text(found);
      if (keys.has(key)) undecided.push({ key, text: text(values), offset: head.baseOffset + deltas[i]!, producerId });
    }
  });
  return undecided;
}
