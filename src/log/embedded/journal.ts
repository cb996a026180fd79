// The journal: the transactions of all jobs in one stream. Type topics and the jobs' quarantine topics are views of it.
//
// Every segment begins with what is known of each job and each quarantine topic, so that old segments can go. A commit that fails ends its owner's
// turn: those behind it must not be stored without it, and the job takes its output over again from what was committed.
import { RdgError } from "../../core/errors.ts";
import type { Position } from "../../model/position.ts";
import type { Appended, JobCounters, JobOutput, JobTransaction, RecordFrame } from "../port.ts";
import { logClosed } from "./failures.ts";
import type { LogTime } from "./log-time.ts";
import type { JobRecord } from "./metadata.ts";
import { recordFrame } from "./record-frame.ts";
import { checkBatch } from "./record-partition.ts";
import { field } from "./segment-format.ts";
import type { StreamContent } from "./stream-content.ts";
import type { Stream } from "./stream.ts";
import { decodeTransaction, encodeTransaction, inputsOf, type Transaction } from "./transaction-frame.ts";

/** The name under which the journal's frames go: the `source` of update frames and the topic of commit positions. */
export const journalName = "journal";

interface Committed {
  readonly inputs: readonly (readonly [string, number, number])[];
  readonly counters: JobCounters;
}

/** The state frame of a journal segment. */
export interface JournalState {
  readonly jobs: readonly (readonly [string, Committed])[];
  /** Next offset of each quarantine topic. */
  readonly quarantined: readonly (readonly [string, number])[];
}

export class JournalContent implements StreamContent<Transaction> {
  /** By job: its last committed transaction. */
  readonly committed = new Map<string, Committed>();
  /** Next offset per quarantine topic: committed, and with what is on its way. */
  readonly quarantined = new Map<string, number>();
  readonly quarantinedNext = new Map<string, number>();

  /** Offset behind the last record of a partition that a job has processed. */
  consumedNext(topic: string, partition: number): number {
    const inputs = [...this.committed.values()].flatMap((committed) => committed.inputs);
    const own = inputs.filter((input) => input[0] === topic && input[1] === partition);
    return Math.max(0, ...own.map(([, , offset]) => offset + 1));
  }

  snapshot(): JournalState {
    return { jobs: [...this.committed], quarantined: [...this.quarantined] };
  }

  restore(state: unknown): void {
    const { jobs, quarantined } = state as JournalState;
    for (const [job, committed] of jobs) this.committed.set(job, committed);
    for (const [topic, next] of quarantined) this.#passed(topic, next);
  }

  replay(bytes: Buffer, at: number): void {
    this.commit(decodeTransaction(bytes, at));
  }

  commit({ description }: Transaction): void {
    const { job, inputs, counters, quarantined } = description;
    this.committed.set(job, { inputs: mergedInputs(this.committed.get(job)?.inputs ?? [], inputs), counters });
    if (quarantined !== undefined) this.#passed(quarantined.topic, quarantined.first + quarantined.count);
  }

  recall(): void {
    // The journal keeps no rows.
  }

  row(): undefined {
    return undefined;
  }

  next(bytes: Buffer, at: number): number {
    return bytes.readDoubleLE(at + field.firstOffset) + 1;
  }

  decode(bytes: Buffer, at: number): Transaction {
    return decodeTransaction(bytes, at);
  }

  rollBack(): void {
    this.quarantinedNext.clear();
    for (const [topic, next] of this.quarantined) this.quarantinedNext.set(topic, next);
  }

  #passed(topic: string, next: number): void {
    this.quarantined.set(topic, next);
    this.quarantinedNext.set(topic, Math.max(next, this.quarantinedNext.get(topic) ?? 0));
  }
}

/** A transaction names the partitions that moved; the others stay where they were. */
function mergedInputs(before: Committed["inputs"], moved: Committed["inputs"]): Committed["inputs"] {
  const kept = before.filter(
    ([topic, partition]) => !moved.some((input) => input[0] === topic && input[1] === partition),
  );
  return [...kept, ...moved];
}

export class Journal {
  readonly stream: Stream<Transaction>;
  readonly content: JournalContent;
  readonly #time: LogTime;
  readonly #tenures = new Map<string, Tenure>();

  constructor(stream: Stream<Transaction>, content: JournalContent, time: LogTime) {
    this.stream = stream;
    this.content = content;
    this.#time = time;
  }

  /** The caller has made the job's new epoch durable; `checkQuarantine` says whether a topic may take quarantined records. */
  async takeOver(job: JobRecord, checkQuarantine: (topic: string) => void): Promise<JobOutput> {
    const earlier = this.#tenures.get(job.name);
    if (earlier !== undefined) earlier.ended = fenced(job.name);
    const tenure: Tenure = { ended: undefined };
    this.#tenures.set(job.name, tenure);
    // What the earlier owner committed before it was fenced is either stored or rejected then, and the new one starts from the result.
    await this.stream.idle();
    return new Output(this, job, tenure, checkQuarantine);
  }

  commit(job: JobRecord, transaction: JobTransaction): Promise<Appended> {
    const { stream, content } = this;
    const offset = stream.next;
    const topic = transaction.quarantined?.topic;
    const { buffers, transaction: stored } = encodeTransaction(
      {
        offset,
        timestampMs: this.#time.next(),
        job: job.name,
        epoch: job.epoch,
        quarantinedFirst: topic === undefined ? 0 : (content.quarantinedNext.get(topic) ?? 0),
      },
      transaction,
    );
    const shape = stored.description.quarantined;
    if (shape !== undefined) content.quarantinedNext.set(shape.topic, shape.first + shape.count);
    const position: Position = { topic: journalName, partition: 0, offset };
    return new Promise((resolve, reject) => {
      stream.append({
        buffers,
        first: offset,
        next: offset + 1,
        timestampMs: stored.timestampMs,
        row: undefined,
        frame: stored,
        settled: (durable) => {
          if (durable) content.commit(stored);
        },
        resolve: () => resolve({ first: position, last: position, duplicate: false }),
        reject,
      });
    });
  }
}

/** One owner's time with a job's output, and why it is over. */
interface Tenure {
  ended: RdgError | undefined;
}

class Output implements JobOutput {
  readonly committed: readonly Position[];
  readonly counters: JobCounters;
  readonly #journal: Journal;
  readonly #job: JobRecord;
  readonly #checkQuarantine: (topic: string) => void;
  readonly #tenure: Tenure;

  constructor(journal: Journal, job: JobRecord, tenure: Tenure, checkQuarantine: (topic: string) => void) {
    const committed = journal.content.committed.get(job.name);
    this.committed = inputsOf({ job: job.name, inputs: committed?.inputs ?? [], counters: {}, hasUpdates: false });
    this.counters = committed?.counters ?? {};
    this.#journal = journal;
    this.#job = job;
    this.#tenure = tenure;
    this.#checkQuarantine = checkQuarantine;
  }

  async commit(transaction: JobTransaction): Promise<Appended> {
    if (this.#tenure.ended !== undefined) throw this.#tenure.ended;
    const { quarantined, updates } = transaction;
    const { batchBytesMax } = this.#journal.stream.settings;
    let bytes = updates?.length ?? 0;
    if (quarantined !== undefined) {
      this.#checkQuarantine(quarantined.topic);
      bytes += checkBatch(quarantined.batch, quarantined.topic, batchBytesMax);
    }
    if (bytes > batchBytesMax) {
      throw new RdgError(
        "invalid",
        "batch_too_large",
        `The transaction has ${bytes} bytes; ${batchBytesMax} are allowed.`,
        {
          place: this.#job.name,
          hint: "Commit smaller windows.",
        },
      );
    }
    const refusal = this.#journal.stream.refusal(bytes);
    if (refusal !== undefined) throw this.#end(refusal);
    try {
      return await this.#journal.commit(this.#job, transaction);
    } catch (error) {
      throw this.#end(error as RdgError);
    }
  }

  close(): Promise<void> {
    this.#tenure.ended ??= logClosed();
    return Promise.resolve();
  }

  /** A transaction was not stored: whatever comes behind it must not be stored either. Returns what to tell the caller of this one. */
  #end(error: RdgError): RdgError {
    this.#tenure.ended ??=
      error.kind === "closed"
        ? error
        : new RdgError(
            "unavailable",
            "output_interrupted",
            `An earlier transaction of job ${this.#job.name} was not stored.`,
            {
              place: this.#job.name,
              hint: "Take the output over again and go on from what it says is committed.",
              ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
              cause: error,
            },
          );
    return error;
  }
}

function fenced(job: string): RdgError {
  return new RdgError("conflict", "fenced", `The output of job ${job} was taken over by a later owner.`, {
    place: job,
    hint: "Run each job once.",
  });
}

/** The quarantined records of a transaction as a frame of their topic, or undefined when it has none of that topic. */
export function quarantinedFrame(transaction: Transaction, topic: string): RecordFrame | undefined {
  const shape = transaction.description.quarantined;
  if (shape?.topic !== topic) return undefined;
  return recordFrame(topic, 0, shape.first, transaction.timestampMs, transaction.quarantined!);
}
