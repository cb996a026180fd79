// Decides when a checkpoint is written, and keeps ingestion from copying more pages for it than memory allows.
import { type RdgError, RdgError as Failure } from "../../core/errors.ts";
import type { Turns } from "../../core/turns.ts";
import type { Applied, AppliedState } from "./applied.ts";
import { type Capture, capture, deleteOlder, writeCheckpoint } from "./checkpoint-write.ts";
import type { Graph } from "./graph.ts";
import type { RetiredNodes } from "./retired-nodes.ts";

const copiedLeastBytes = 16e6;

export interface CheckpointerOptions {
  readonly folder: string;
  readonly graph: Graph;
  readonly applied: Applied;
  readonly retired: RetiredNodes;
  readonly turns: Turns;
  /** `Number.MAX_SAFE_INTEGER` and more: no checkpoint is ever written by itself, not even by closing. */
  readonly debtMaxBytes: number;
  /** Bytes of copied pages at which applying waits for the checkpoint. Default: an eighth of what the graph takes, at least 16 MB. */
  readonly copiedMaxBytes: number | undefined;
  /** Number of the newest checkpoint in the folder, and of the one that was used, with its positions; those between are unusable. */
  readonly newest: number;
  readonly used: number;
  readonly usedApplied: AppliedState | undefined;
  readonly notice: (error: RdgError) => void;
  /** Runs work while nothing else changes the graph. */
  readonly alone: <T>(work: () => Promise<T>) => Promise<T>;
}

export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #number: number;
  /** Bytes of frames applied since the last capture, and how many are worth a checkpoint. */
  #debtBytes = 0;
  #dueAtBytes: number;
  #running: Promise<void> | undefined;
  #copiedMaxBytes = Infinity;
  #progress: (() => void)[] = [];
  /** What the two kept checkpoints stand for, older first. */
  #kept: AppliedState[];

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#number = options.newest;
    this.#dueAtBytes = options.debtMaxBytes;
    this.#kept = options.usedApplied === undefined ? [] : [options.usedApplied];
  }

  /** The offset per source that a restart continues behind, should it have to take the older of the kept checkpoints. */
  get neededAfter(): ReadonlyMap<string, number> {
    return new Map((this.#kept[0]?.sources ?? []).map(({ source, offset }) => [source, offset]));
  }

  /** Counts an applied frame; begins a checkpoint in the background when enough have come together. */
  owe(sizeBytes: number): void {
    this.#debtBytes += sizeBytes;
    if (this.#debtBytes < this.#dueAtBytes || this.#running !== undefined) return;
    void this.#writeIfPossible();
  }

  /** Writes a checkpoint of the graph as it is when running work is done; resolves when it is durable. */
  async write(): Promise<void> {
    while (this.#running !== undefined) await this.#running.catch(() => undefined);
    this.#running = this.#write();
    try {
      await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  /** Writes the last checkpoint, unless there is nothing new to write. One that cannot be written costs the next start some time, and nothing else. */
  async finish(): Promise<void> {
    await this.#running?.catch(() => undefined);
    if (this.#debtBytes > 0 && this.#options.debtMaxBytes < Number.MAX_SAFE_INTEGER) await this.#writeIfPossible();
  }

  /** Undefined, or what applying should wait for because a running checkpoint made it copy too much. */
  room(): Promise<void> | undefined {
    return this.#hasRoom() ? undefined : this.#waitForRoom();
  }

  #hasRoom(): boolean {
    return this.#options.graph.epoch.copiedBytes < this.#copiedMaxBytes;
  }

  async #waitForRoom(): Promise<void> {
    do await new Promise<void>((resolve) => this.#progress.push(resolve));
    while (!this.#hasRoom());
  }

  async #writeIfPossible(): Promise<void> {
    try {
      await this.write();
    } catch (error) {
      this.#dueAtBytes = this.#debtBytes + this.#options.debtMaxBytes;
      this.#options.notice(checkpointFailed(error, this.#options.folder));
    }
  }

  async #write(): Promise<void> {
    const { folder, graph, applied, retired, turns, alone } = this.#options;
    let captured: Capture | undefined;
    let debtBytes = 0;
    await alone(async () => {
      this.#copiedMaxBytes = Math.max(
        1,
        this.#options.copiedMaxBytes ?? Math.max(copiedLeastBytes, graph.usedBytes / 8),
      );
      captured = capture(graph, applied, retired);
      debtBytes = this.#debtBytes;
    });
    const number = ++this.#number;
    await writeCheckpoint(folder, number, captured!, turns, () => {
      const waiting = this.#progress;
      this.#progress = [];
      for (const resolve of waiting) resolve();
    });
    await deleteOlder(folder, (each) => each <= this.#options.used || each > this.#options.newest);
    this.#debtBytes -= debtBytes;
    this.#dueAtBytes = this.#options.debtMaxBytes;
    this.#kept = [...this.#kept.slice(-1), captured!.state.applied];
  }
}

function checkpointFailed(cause: unknown, folder: string): RdgError {
  return new Failure(
    "unavailable",
    "checkpoint_failed",
    `The store's checkpoint could not be written: ${String(cause)}.`,
    {
      place: folder,
      hint: "The store goes on and tries again later. Until then a restart replays more of the log. Check the space on the disk.",
      cause,
    },
  );
}
