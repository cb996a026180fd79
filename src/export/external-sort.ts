// Sorts more records than memory holds: runs that were sorted in memory go to temporary files, which are merged. What fits into one run needs no file.
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { RunReader, type SortRecord, guarded, writeRun } from "./run-file.ts";

export interface ExternalSortOptions {
  /** A folder of its own is made in it once memory does not suffice. */
  readonly folder: string;
  /** About what the records of a run take in memory. */
  readonly runBytesMax?: number;
  /** Files that are merged at once. */
  readonly fanInMax?: number;
}

const defaultRunBytesMax = 64 * 1024 * 1024;
const defaultFanInMax = 64;
/** What a record takes beside its texts. */
const recordBytes = 120;

/** Records of equal keys come one behind the other, in the order in which they were added. */
export class ExternalSort {
  readonly #options: Required<ExternalSortOptions>;
  #records: SortRecord[] = [];
  #bytes = 0;
  #folder: string | undefined;
  #files = 0;
  /** Paths of runs by how often their records were merged; older ones first. */
  readonly #levels: string[][] = [];
  readonly #open = new Set<RunReader>();

  constructor(options: ExternalSortOptions) {
    this.#options = { runBytesMax: defaultRunBytesMax, fanInMax: defaultFanInMax, ...options };
  }

  /** Temporary files written so far. */
  get files(): number {
    return this.#files;
  }

  /** @throws RdgError unavailable, `temporary_file_failed` */
  add(record: SortRecord): void {
    this.#records.push(record);
    this.#bytes += recordBytes + record.key.length + record.line.length;
    if (this.#bytes >= this.#options.runBytesMax) this.#spill();
  }

  /** To be called once. */
  *sorted(): Generator<SortRecord> {
    if (this.#levels.length === 0) {
      yield* this.#take();
      return;
    }
    if (this.#records.length > 0) this.#spill();
    // What was merged more often was added earlier.
    yield* this.#merged(this.#levels.toReversed().flat());
  }

  /** Removes all files. */
  close(): void {
    for (const reader of this.#open) reader.close();
    this.#open.clear();
    this.#records = [];
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }

  #take(): SortRecord[] {
    const records = this.#records.sort(({ key: a }, { key: b }) => (a < b ? -1 : a > b ? 1 : 0));
    this.#records = [];
    this.#bytes = 0;
    return records;
  }

  #spill(): void {
    this.#keep(0, this.#take());
    for (let level = 0; this.#levels[level]!.length >= this.#options.fanInMax; level++) {
      const paths = this.#levels[level]!;
      this.#keep(level + 1, this.#merged(paths));
      this.#levels[level] = [];
    }
  }

  #keep(level: number, records: Iterable<SortRecord>): void {
    const { folder } = this.#options;
    this.#folder ??= guarded(folder, () => mkdtempSync(join(folder, "rdg-export-")));
    const path = join(this.#folder, String(this.#files++));
    writeRun(path, records);
    (this.#levels[level] ??= []).push(path);
  }

  *#merged(paths: readonly string[]): Generator<SortRecord> {
    const heap = new RunHeap();
    for (const [order, path] of paths.entries()) {
      const reader = new RunReader(path);
      this.#open.add(reader);
      heap.push({ reader, order });
    }
    for (let run = heap.least; run !== undefined; run = heap.least) {
      const { reader } = run;
      yield reader.record!;
      reader.next();
      if (reader.record !== undefined) heap.sink();
      else {
        heap.dropLeast();
        this.#open.delete(reader);
        reader.close();
      }
    }
  }
}

interface Run {
  readonly reader: RunReader;
  /** Of equal keys, those of the older run come first. */
  readonly order: number;
}

/** A binary heap of runs by the record at hand. */
class RunHeap {
  readonly #runs: Run[] = [];

  get least(): Run | undefined {
    return this.#runs[0];
  }

  push(run: Run): void {
    const runs = this.#runs;
    let at = runs.push(run) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!comesBefore(run, runs[parent]!)) break;
      runs[at] = runs[parent]!;
      at = parent;
    }
    runs[at] = run;
  }

  dropLeast(): void {
    const last = this.#runs.pop()!;
    if (this.#runs.length === 0) return;
    this.#runs[0] = last;
    this.sink();
  }

  /** To be called when the least run has gone on. */
  sink(): void {
    const runs = this.#runs;
    const run = runs[0]!;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= runs.length) break;
      if (child + 1 < runs.length && comesBefore(runs[child + 1]!, runs[child]!)) child++;
      if (!comesBefore(runs[child]!, run)) break;
      runs[at] = runs[child]!;
      at = child;
    }
    runs[at] = run;
  }
}

function comesBefore(a: Run, b: Run): boolean {
  const [aKey, bKey] = [a.reader.record!.key, b.reader.record!.key];
  return aKey === bKey ? a.order < b.order : aKey < bKey;
}
