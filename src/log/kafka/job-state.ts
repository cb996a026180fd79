// Where a job goes on, as records of `rdg.jobs`: one for a job with one owner, one for each partition where workers share them out.
import type { Position } from "../../model/position.ts";
import type { JobCounters, JobTransaction, RecordBatch } from "../port.ts";
import type { KafkaCluster, TopicPartition } from "./cluster.ts";
import type { KeyedText } from "./plain-sender.ts";
import { decodeRecords } from "./record-batch.ts";
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
  const { committed, counters } = JSON.parse(text) as { committed: Places; counters: JobCounters };
  return { committed: committed.map(([topic, partition, offset]) => ({ topic, partition, offset })), counters };
}

/** What the log says under a key of `rdg.jobs`. */
export interface Written {
  readonly committed: string | undefined;
  /** Of transactions that are not decided. */
  readonly open: readonly string[];
}

interface Undecided {
  readonly key: string;
  readonly text: string;
  readonly offset: number;
  readonly producerId: bigint;
}

/** By key, whatever other transactions are open in between. */
export async function writtenStates(
  cluster: KafkaCluster,
  place: TopicPartition,
  keys: ReadonlySet<string>,
): Promise<ReadonlyMap<string, Written>> {
  const endOf = async (kind: "stable" | "replicated"): Promise<number> => {
    const [end] = await cluster.retrying("take over", place.topic, () => cluster.offsets([place], kind));
    return end!;
  };
  const [stable, end] = [await endOf("stable"), await endOf("replicated")];
  const committed = new Map<string, Undecided>();
  let undecided: Undecided[] = [];
  const commit = (record: Undecided): void => {
    if ((committed.get(record.key)?.offset ?? -1) < record.offset) committed.set(record.key, record);
  };
  await scan(cluster, place, { from: 0, to: end, committedOnly: false }, (head) => {
    if (head.control !== undefined) {
      const decided = undecided.filter(({ producerId }) => producerId === head.producerId);
      if (head.control === "commit") for (const record of decided) commit(record);
      undecided = undecided.filter(({ producerId }) => producerId !== head.producerId);
      return;
    }
    const { count, keys: found, values, deltas } = decodeRecords(head, place.topic);
    for (let i = 0; i < count; i++) {
      const text = ({ bytes, starts }: RecordBatch["values"]): string =>
        Buffer.from(bytes.subarray(starts[i], starts[i + 1])).toString();
      const key = found === undefined ? "" : text(found);
      if (!keys.has(key)) continue;
      const { producerId } = head;
      undecided.push({ key, text: text(values), offset: head.baseOffset + deltas[i]!, producerId });
    }
  });
  // Below the stable end everything is decided: what has no marker lost it to compaction, which keeps committed records only.
  for (const record of undecided) if (record.offset < stable) commit(record);
  const open = undecided.filter(({ offset }) => offset >= stable);
  return new Map(
    [...keys].map((key) => [
      key,
      {
        committed: committed.get(key)?.text,
        open: open.filter((record) => record.key === key).map(({ text }) => text),
      },
    ]),
  );
}
