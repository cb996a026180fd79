// A job's worker over a log that one process owns: it is the only one, so every partition is always its turn.
import type { JobAssignment, JobOutput, JobWorker } from "../port.ts";
import { logClosed } from "./failures.ts";

export class SoleWorker implements JobWorker {
  readonly #partitions: readonly number[];
  readonly #takeOver: () => Promise<JobOutput>;
  readonly #ending = new AbortController();
  #open: JobOutput | undefined;

  constructor(partitions: readonly number[], takeOver: () => Promise<JobOutput>) {
    this.#partitions = partitions;
    this.#takeOver = takeOver;
  }

  async assignment(signal?: AbortSignal): Promise<JobAssignment> {
    signal?.throwIfAborted();
    if (this.#ending.signal.aborted) throw logClosed();
    const output = await this.#takeOver();
    this.#open = output;
    return {
      partitions: this.#partitions,
      ending: this.#ending.signal,
      committed: output.committed,
      counters: output.counters,
      commit: (transaction) => output.commit(transaction),
      close: () => output.close(),
    };
  }

  async leave(): Promise<void> {
    this.#ending.abort();
    await this.#open?.close();
  }
}
