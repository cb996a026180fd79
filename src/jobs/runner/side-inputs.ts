// Keeps the tables of all side inputs up to date from their compacted topics, and tells jobs when a table has reached an event's time of receipt.
import type { Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import { formatSize } from "../../core/units.ts";
import type { LogReader, RecordFrame } from "../../log/port.ts";
import type { EventSource, GraphModel, SideInputModel } from "../../model/definition.ts";
import type { Position } from "../../model/position.ts";
import type { QuarantineRecord } from "../../model/quarantine.ts";
import { createSideInputTable, type SideInputTable } from "../operators/side-input-table.ts";
import { compileRowReader } from "../plan/compiler.ts";
import { framingBytes, schemaIdAt, type FindConversion } from "./framing.ts";
import { type FindRowConversion, SourceRows } from "./source-rows.ts";

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
  /** Of rows in topics that teams have. */
  readonly sourceConversions: (input: SideInputModel, source: EventSource) => FindRowConversion;
  readonly quarantine: (input: string, records: readonly QuarantineRecord[]) => Promise<void>;
  /** Above it no more is read from teams' topics; rows that come through the gateway are refused there. */
  readonly sizeBytesMax: number;
  /** The time of receipt before which no job will ask any more. */
  readonly oldestNeededMs: () => number;
}

/** Until a topic is read on that could not be read. */
const retryMs = 500;
/** How often it is looked whether retention has removed what is waited for. */
const looksMs = 2_000;

export function openSideInputs(options: SideInputsOptions): SideInputs {
  const followers = new Map<string, Follower>();
  const sizeBytes = (): number => [...followers.values()].reduce((sum, each) => sum + each.status().sizeBytes, 0);
  for (const input of options.model.sideInputs) followers.set(input.name, new Follower(input, options, sizeBytes));
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
  /** Of all side inputs. */
  readonly #sizeBytes: () => number;
  readonly #topic: string;
  readonly #rows: Rows;
  readonly #stop = new AbortController();
  readonly #reading: Promise<void>;
  /** Next offset to read, by partition. */
  readonly #next: number[] = [];
  #malformed = 0;
  #failure: Error | undefined;
  #waiters: (() => void)[] = [];

  constructor(input: SideInputModel, options: SideInputsOptions, sizeBytes: () => number) {
    this.#input = input;
    this.#options = options;
    this.#sizeBytes = sizeBytes;
    this.#topic = `inputs.${input.name}`;
    this.table = createSideInputTable(compileRowReader(input.fields), options.oldestNeededMs);
    this.#rows = rowsOf(input, this.table, options);
    this.#reading = this.#follow().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#wakeWaiters();
    });
  }

  async readThrough(receivedMs: number): Promise<void> {
    const settled = await this.#options.log.settled(this.#topic);
    while (!settled.next.every((next, partition) => (this.#next[partition] ?? 0) >= next)) {
      if (this.#failure !== undefined) throw this.#failure;
      const woken = new Promise<void>((resolve) => this.#waiters.push(resolve));
      if (this.#input.source === undefined) await woken;
      else await this.#wokenOrRemoved(woken);
    }
    this.readMs = Math.max(this.readMs, settled.timestampMs);
    // Appends that were in flight when the log was asked are older than receivedMs but not readable yet.
    if (this.readMs < receivedMs) await this.readThrough(receivedMs);
  }

  status(): SideInputStatus {
    const { rowCount, sizeBytes } = this.table;
    const keysBytes = this.#rows.sizeBytes ?? 0;
    return { name: this.#input.name, rows: rowCount, sizeBytes: sizeBytes + keysBytes, malformed: this.#malformed };
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
        if (!(error instanceof RdgError) || (error.kind !== "unavailable" && error.kind !== "overloaded")) throw error;
        await this.#options.timers.sleep(retryMs, this.#stop.signal);
      }
    }
  }

  async #read(): Promise<void> {
    const known = [...this.#next.entries()].filter(([, offset]) => offset !== undefined);
    const from = known.map(([partition, offset]): Position => ({ topic: this.#topic, partition, offset }));
    const signal = this.#stop.signal;
    for await (const frame of this.#options.log.read({ topics: [this.#topic], from, signal })) {
      this.#malformed += await this.#rows.take(frame);
      this.#next[frame.partition] = frame.firstOffset + (frame.offsets?.[frame.count - 1] ?? frame.count - 1) + 1;
      this.#checkRoom();
      this.#wakeWaiters();
    }
  }

  /** Nobody else can refuse a team's rows. Jobs that look them up tell it as what they wait for. */
  #checkRoom(): void {
    const [sizeBytes, max] = [this.#sizeBytes(), this.#options.sizeBytesMax];
    if (this.#input.source === undefined || sizeBytes <= max) return;
    throw new RdgError("conflict", "inputs_full", `The rows of side inputs take ${formatSize(sizeBytes)} of memory.`, {
      place: this.#input.name,
      hint: "Raise the setting inputs.memory and start again.",
    });
  }

  /** Of a team's topic retention may have removed everything that was to be read. */
  async #wokenOrRemoved(woken: Promise<void>): Promise<void> {
    const { log, timers } = this.#options;
    const looking = new AbortController();
    const look = timers.sleep(looksMs, looking.signal).then(
      () => log.bounds(this.#topic),
      () => [],
    );
    const bounds = await Promise.race([woken, look]);
    looking.abort();
    for (const { partition, first } of bounds ?? []) {
      this.#next[partition] = Math.max(this.#next[partition] ?? 0, first);
    }
  }

  #wakeWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}

/** How records of a side input's topic become rows of its table. */
interface Rows {
  /** Of what is kept beside the table. */
  readonly sizeBytes?: number;
  /** Answers how many records could not be read. What fails may be taken again. */
  take(frame: RecordFrame): Promise<number>;
}

function rowsOf(input: SideInputModel, table: SideInputTable, options: SideInputsOptions): Rows {
  const { name, source } = input;
  if (source === undefined) return new OwnRows(options.schemaIds.get(name)!, options.conversions(input), table);
  const quarantine = (records: readonly QuarantineRecord[]): Promise<void> => options.quarantine(name, records);
  return new SourceRows({
    input: name,
    source,
    table,
    conversion: options.sourceConversions(input, source),
    quarantine,
  });
}

/** Rows that came through the gateway: looked at there, under their own keys. */
class OwnRows implements Rows {
  readonly #schemaId: number;
  readonly #convert: FindConversion;
  readonly #table: SideInputTable;

  constructor(schemaId: number, convert: FindConversion, table: SideInputTable) {
    this.#schemaId = schemaId;
    this.#convert = convert;
    this.#table = table;
  }

  async take(frame: RecordFrame): Promise<number> {
    let malformed = 0;
    for (let i = 0; i < frame.count; i++) if (!(await this.#takeOne(frame, i))) malformed++;
    return malformed;
  }

  async #takeOne(frame: RecordFrame, i: number): Promise<boolean> {
    const { bytes: key, starts: keyStarts } = frame.keys!;
    const [keyStart, keyEnd, { timestampMs }] = [keyStarts[i]!, keyStarts[i + 1]!, frame];
    if (frame.nulls?.[i] === 1) {
      this.#table.remove(key, keyStart, keyEnd, timestampMs);
      return true;
    }
    const { bytes, starts } = frame.values;
    const [start, end] = [starts[i]!, starts[i + 1]!];
    const schemaId = schemaIdAt(bytes, start, end);
    if (schemaId === this.#schemaId)
      return this.#table.put(key, keyStart, keyEnd, timestampMs, bytes, start + framingBytes, end);
    if (schemaId < 0) return false;
    const convert = await this.#convert(schemaId);
    try {
      const row = convert(bytes.subarray(start + framingBytes, end));
      return this.#table.put(key, keyStart, keyEnd, timestampMs, row, 0, row.length);
    } catch (error) {
      if (error instanceof RdgError) return false;
      throw error;
    }
  }
}
