// Keeps the tables of all side inputs up to date from their compacted topics, and tells jobs when a table has reached an event's time of receipt.
import type { Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { LogReader, RecordFrame } from "../../log/port.ts";
import type { GraphModel, SideInputModel } from "../../model/definition.ts";
import type { Position } from "../../model/position.ts";
import { createSideInputTable, type SideInputTable } from "../operators/side-input-table.ts";
import { compileRowReader } from "../plan/compiler.ts";
import { framingBytes, schemaIdAt, type FindConversion } from "./framing.ts";

export interface SideInputs {
  table(name: string): SideInputTable;
  /** Resolves when the tables hold every row that was received up to `receivedMs`; undefined when they do already. */
  readThrough(names: readonly string[], receivedMs: number): Promise<void> | undefined;
  status(): readonly SideInputStatus[];
  close(): Promise<void>;
}

export interface SideInputStatus {
  readonly name: string;
  readonly rows: number;
  readonly sizeBytes: number;
  /** Rows that could not be read; they are as if they had not come. */
  readonly malformed: number;
}

export interface SideInputsOptions {
  readonly model: GraphModel;
  readonly log: LogReader;
  readonly timers: Timers;
  /** By side input: the id of its own schema. */
  readonly schemaIds: ReadonlyMap<string, number>;
  readonly conversions: (input: SideInputModel) => FindConversion;
  /** The time of receipt before which no job will ask any more. */
  readonly oldestNeededMs: () => number;
}

/** Until a topic is read on that could not be read. */
const retryMs = 500;

export function openSideInputs(options: SideInputsOptions): SideInputs {
  const followers = new Map(options.model.sideInputs.map((input) => [input.name, new Follower(input, options)]));
  return {
    table: (name) => followers.get(name)!.table,
    readThrough(names, receivedMs) {
      const behind = names.map((name) => followers.get(name)!).filter((follower) => follower.readMs < receivedMs);
      if (behind.length === 0) return undefined;
      return Promise.all(behind.map((follower) => follower.readThrough(receivedMs))).then(() => undefined);
    },
    status: () => [...followers.values()].map((follower) => follower.status()),
    async close() {
      await Promise.all([...followers.values()].map((follower) => follower.close()));
    },
  };
}

class Follower {
  readonly table: SideInputTable;
  /** Every row received up to this moment is in the table. */
  readMs = -Infinity;
  readonly #input: SideInputModel;
  readonly #options: SideInputsOptions;
  readonly #topic: string;
  readonly #schemaId: number;
  readonly #convert: FindConversion;
  readonly #stop = new AbortController();
  readonly #reading: Promise<void>;
  /** Next offset to read, by partition. */
  readonly #next: number[] = [];
  #malformed = 0;
  #failure: Error | undefined;
  #waiters: (() => void)[] = [];

  constructor(input: SideInputModel, options: SideInputsOptions) {
    this.#input = input;
    this.#options = options;
    this.#topic = `inputs.${input.name}`;
    this.#schemaId = options.schemaIds.get(input.name)!;
    this.#convert = options.conversions(input);
    this.table = createSideInputTable(compileRowReader(input.fields), options.oldestNeededMs);
    this.#reading = this.#follow().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#wakeWaiters();
    });
  }

  async readThrough(receivedMs: number): Promise<void> {
    const settled = await this.#options.log.settled(this.#topic);
    while (!settled.next.every((next, partition) => (this.#next[partition] ?? 0) >= next)) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
    this.readMs = Math.max(this.readMs, settled.timestampMs);
    // Appends that were in flight when the log was asked are older than receivedMs but not readable yet.
    if (this.readMs < receivedMs) await this.readThrough(receivedMs);
  }

  status(): SideInputStatus {
    const { rowCount, sizeBytes } = this.table;
    return { name: this.#input.name, rows: rowCount, sizeBytes, malformed: this.#malformed };
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#reading;
  }

  /** Reads for as long as it takes: jobs wait while the log cannot be read. */
  async #follow(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#read();
      } catch (error) {
        if (!(error instanceof RdgError) || error.kind !== "unavailable") throw error;
        await this.#options.timers.sleep(retryMs, this.#stop.signal);
      }
    }
  }

  async #read(): Promise<void> {
    const from = this.#next.map((offset, partition): Position => ({ topic: this.#topic, partition, offset }));
    const signal = this.#stop.signal;
    for await (const frame of this.#options.log.read({ topics: [this.#topic], from, signal })) {
      for (let i = 0; i < frame.count; i++) await this.#take(frame, i);
      this.#next[frame.partition] = frame.firstOffset + (frame.offsets?.[frame.count - 1] ?? frame.count - 1) + 1;
      this.#wakeWaiters();
    }
  }

  async #take(frame: RecordFrame, i: number): Promise<void> {
    const keys = frame.keys!;
    const [keyStart, keyEnd] = [keys.starts[i]!, keys.starts[i + 1]!];
    if (frame.nulls?.[i] === 1) return this.table.remove(keys.bytes, keyStart, keyEnd, frame.timestampMs);
    const { bytes, starts } = frame.values;
    const [start, end] = [starts[i]!, starts[i + 1]!];
    const schemaId = schemaIdAt(bytes, start, end);
    let taken = false;
    if (schemaId === this.#schemaId) {
      taken = this.table.put(keys.bytes, keyStart, keyEnd, frame.timestampMs, bytes, start + framingBytes, end);
    } else if (schemaId >= 0) {
      const row = await this.#converted(schemaId, bytes.subarray(start + framingBytes, end));
      taken = row !== undefined && this.table.put(keys.bytes, keyStart, keyEnd, frame.timestampMs, row, 0, row.length);
    }
    if (!taken) this.#malformed++;
  }

  async #converted(schemaId: number, row: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      return (await this.#convert(schemaId))(row);
    } catch {
      return undefined;
    }
  }

  #wakeWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}
