// The merge window: buffers a job's updates, merged per element, until they are published as one packed batch (docs/SEMANTICS.md, sections 1 and 2).
// Hot path: an update costs no object and no string; memory is kept from window to window.
//
// It has no bound of its own: its owner takes it when its time is over or when `keyCount` or `sizeBytes` reach the job's settings.
import type { GraphModel } from "../../model/definition.ts";
import { encodeUpdateBatch } from "../../model/update/codec.ts";
import type { UpdateSink } from "../../model/update/sink.ts";
import { EdgeTable, NodeTable } from "./merge-window/tables.ts";

export interface MergeWindow {
  readonly sink: UpdateSink;
  /** Events that the open window accounts for. */
  readonly eventCount: number;
  /** Rows: distinct edges, and distinct nodes including those that are only an end of an edge. */
  readonly keyCount: number;
  /** Memory that the open window's rows and values need. */
  readonly sizeBytes: number;
  /** Updates of the open window that were folded into an element already there: emitted = published + merged. Reads every row. */
  readonly mergedCount: number;
  /** No update since the last `take`; the window may account for events all the same. */
  readonly isEmpty: boolean;
  countEvents(count: number): void;
  /** The packed batch (model/update/codec.ts), or undefined when the window is empty; the window starts afresh either way. */
  take(): Uint8Array | undefined;
}

export function createMergeWindow(model: GraphModel): MergeWindow {
  return new ColumnWindow(model);
}

class ColumnWindow implements MergeWindow {
  readonly sink: UpdateSink;
  readonly #nodes: readonly NodeTable[];
  readonly #edges: readonly EdgeTable[];
  #eventCount = 0;

  constructor(model: GraphModel) {
    this.#nodes = model.nodes.map((node) => new NodeTable(node));
    this.#edges = model.edges.map((edge) => new EdgeTable(edge));
    this.sink = { nodes: this.#nodes, edges: this.#edges };
  }

  get eventCount(): number {
    return this.#eventCount;
  }
  get keyCount(): number {
    let count = 0;
    for (const table of this.#nodes) count += table.count;
    for (const table of this.#edges) count += table.count;
    return count;
  }
  get sizeBytes(): number {
    let size = 0;
    for (const table of this.#nodes) size += table.sizeBytes;
    for (const table of this.#edges) size += table.sizeBytes;
    return size;
  }
  get mergedCount(): number {
    let merged = 0;
    for (const table of this.#nodes) merged += table.updateCount - table.changedRows;
    for (const table of this.#edges) merged += table.updateCount - table.changedRows;
    return merged;
  }
  get isEmpty(): boolean {
    return (
      this.#nodes.every((table) => table.updateCount === 0) && this.#edges.every((table) => table.updateCount === 0)
    );
  }

  countEvents(count: number): void {
    this.#eventCount += count;
  }

  take(): Uint8Array | undefined {
    const packed = this.isEmpty ? undefined : this.#encode();
    for (const table of this.#nodes) table.reset();
    for (const table of this.#edges) table.reset();
    this.#eventCount = 0;
    return packed;
  }

  #encode(): Uint8Array {
    return encodeUpdateBatch({
      eventCount: this.#eventCount,
      nodes: this.#nodes.flatMap((table, type) => (table.count === 0 ? [] : [table.columns(type)])),
      edges: this.#edges.flatMap((table, type) => (table.count === 0 ? [] : [table.columns(type)])),
    });
  }
}
