// The statements that one batch of updates means, by the partition that they write to: nothing is read for them. Hot path.
import { type EdgeColumns, type NodeColumns, type PropertyColumn, type UpdateBatch } from "../../model/update/batch.ts";
import { type BatchIds, idBytesAt, sliceOf } from "./batch-ids.ts";
import { bigintCell, earliestCell, intCell, registerCell, timeCell } from "./cells.ts";
import type { CounterCells } from "./counters.ts";
import {
  type EdgeLayout,
  type GraphLayout,
  type ListKind,
  listsOf,
  type NodeLayout,
  type PropertyCells,
} from "./layout.ts";
import { bucketOf, bucketsOf, inBucket } from "./partitions.ts";
import type { Parameter, Statement } from "./session.ts";
import { type EdgeStatements, edgeStatements, type NodeStatements, nodeStatements } from "./statements.ts";

/** All that a batch writes to the partitions of one key, in all tables: one mutation. */
export interface PartitionWrites {
  readonly key: Buffer;
  readonly statements: WriteStatement[];
}

export interface WriteStatement extends Statement {
  /** It holds counters: what follows builds on it. */
  readonly counts: boolean;
}

/** About what a statement takes beside its parameters. */
const statementBytes = 60;
const secondsMax = 630_000_000;
const noSlice = bigintCell(0);

export interface FrameWritesOptions {
  readonly nowMs: number;
  readonly source: string;
  readonly indexSlackMs: number;
}

export class FrameWriter {
  readonly #layout: GraphLayout;
  readonly #nodes: readonly NodeStatements[];
  readonly #edges: readonly EdgeStatements[];

  constructor(layout: GraphLayout) {
    this.#layout = layout;
    this.#nodes = layout.nodes.map((node) => nodeStatements(layout, node));
    this.#edges = layout.edges.map((edge) => edgeStatements(layout, edge));
  }

  writesOf(
    batch: UpdateBatch,
    ids: BatchIds,
    counters: CounterCells,
    options: FrameWritesOptions,
  ): readonly PartitionWrites[] {
    const partitions = new Partitions(ids);
    for (const nodes of batch.nodes) {
      const rows = new Rows(this.#layout.nodes[nodes.type]!, nodes, counters, options.source);
      this.#writeNodes(nodes, rows, partitions);
    }
    for (const edges of batch.edges) {
      const layout = this.#layout.edges[edges.type]!;
      this.#writeEdges(layout, edges, new Rows(layout, edges, counters, options.source), partitions, options);
    }
    return partitions.all;
  }

  #writeNodes(nodes: NodeColumns, rows: Rows, partitions: Partitions): void {
    const { write } = this.#nodes[nodes.type]!;
    for (let row = 0; row < nodes.count; row++) {
      const parts = rows.parts(row);
      if (parts.length === 0) continue;
      const { key, statements } = partitions.at(nodes.type, row);
      for (const { slice, times, isUpsert } of parts) {
        const own = isUpsert ? rows.properties(row) : rows.nothing;
        statements.push({ query: write, params: [...times, ...own, key, slice], counts: isUpsert && rows.counts(row) });
      }
    }
  }

  #writeEdges(
    layout: EdgeLayout,
    edges: EdgeColumns,
    rows: Rows,
    partitions: Partitions,
    options: FrameWritesOptions,
  ): void {
    const { forward, reverse, outgoing, incoming } = this.#edges[edges.type]!;
    const [out, into]: readonly ListKind[] = listsOf(layout);
    for (let row = 0; row < edges.count; row++) {
      const [fromRow, toRow] = [edges.from[row]!, edges.to[row]!];
      const fromId = partitions.idAt(layout.from, fromRow);
      const toId = partitions.idAt(layout.to, toRow);
      const from = partitions.ofList(out!, layout.from, fromRow, toId);
      const to = partitions.ofList(into!, layout.to, toRow, fromId);
      const listed = listing(layout, edges.lastSeenMs[row]!, options);
      if (listed !== undefined) {
        const { seen, when } = listed;
        from.statements.push({ query: outgoing, params: [from.key, seen, toId, ...when], counts: false });
        to.statements.push({ query: incoming, params: [to.key, seen, fromId, ...when], counts: false });
      }
      for (const { slice, times, isUpsert } of rows.parts(row)) {
        const own = isUpsert ? rows.properties(row) : rows.nothing;
        const counts = isUpsert && rows.counts(row);
        from.statements.push({ query: forward, params: [...times, ...own, from.key, toId, slice], counts });
        to.statements.push({ query: reverse, params: [...times, to.key, fromId, slice], counts: false });
      }
    }
  }
}

/** Seen, and timestamp with ttl, of the row in an index; undefined when there is nothing to list any more. */
function listing(
  { ttlMs }: EdgeLayout,
  lastSeenMs: number,
  { nowMs, indexSlackMs }: FrameWritesOptions,
): { readonly seen: Buffer; readonly when: readonly Buffer[] } | undefined {
  if (lastSeenMs === -Infinity) return undefined;
  const seen = bigintCell(lastSeenMs);
  // By event time, so that files of expired rows can be dropped whole. Microseconds, as everywhere in Cassandra, would leave the safe integers.
  if (ttlMs === undefined) return { seen, when: [seen] };
  const leftMs = lastSeenMs + ttlMs - nowMs;
  if (leftMs <= 0) return undefined;
  const seconds = Math.ceil((leftMs + indexSlackMs) / 1000);
  return { seen, when: [seen, intCell(seconds > secondsMax ? 0 : seconds)] };
}

interface RowPart {
  readonly slice: Buffer;
  /** seen, first, removed */
  readonly times: readonly Parameter[];
  readonly isUpsert: boolean;
}

const noParts: readonly RowPart[] = [];

/** The rows of one type's columns as parameters. */
class Rows {
  /** Parameters of properties of a row that says nothing of them. */
  readonly nothing: readonly Parameter[];
  readonly #type: NodeLayout | EdgeLayout;
  readonly #columns: NodeColumns | EdgeColumns;
  readonly #counters: CounterCells;
  readonly #source: string;

  constructor(
    type: NodeLayout | EdgeLayout,
    columns: NodeColumns | EdgeColumns,
    counters: CounterCells,
    source: string,
  ) {
    this.#type = type;
    this.#columns = columns;
    this.#counters = counters;
    this.#source = source;
    this.nothing = type.properties.flatMap(({ form }): readonly Parameter[] =>
      form === "counter" ? [source, undefined] : [undefined],
    );
  }

  /** What the row says of times: one part, or two when its removal lies in another slice than its upsert. */
  parts(row: number): readonly RowPart[] {
    const { lastSeenMs, firstSeenMs, removedAtMs } = this.#columns;
    const seenMs = lastSeenMs[row]!;
    const removedMs = removedAtMs?.[row] ?? -Infinity;
    const { ttlMs } = this.#type;
    const removed = removedMs === -Infinity ? undefined : timeCell(removedMs);
    if (seenMs === -Infinity) {
      if (removed === undefined) return noParts;
      return [{ slice: sliceCell(removedMs, ttlMs), times: [undefined, undefined, removed], isUpsert: false }];
    }
    const times = [timeCell(seenMs), earliestCell(firstSeenMs[row]!)];
    const slice = sliceCell(seenMs, ttlMs);
    if (removed === undefined || sliceOf(seenMs, ttlMs) === sliceOf(removedMs, ttlMs)) {
      return [{ slice, times: [...times, removed], isUpsert: true }];
    }
    return [
      { slice, times: [...times, undefined], isUpsert: true },
      { slice: sliceCell(removedMs, ttlMs), times: [undefined, undefined, removed], isUpsert: false },
    ];
  }

  properties(row: number): readonly Parameter[] {
    const params: Parameter[] = [];
    for (const [index, property] of this.#type.properties.entries()) {
      const column = this.#columns.properties[index];
      if (property.form === "counter") {
        params.push(this.#source, column === undefined ? undefined : this.#counters.get(column)?.[row]);
      } else params.push(column === undefined ? undefined : this.#contribution(property, column, row));
    }
    return params;
  }

  counts(row: number): boolean {
    if (!this.#type.hasCounters) return false;
    return this.#columns.properties.some(
      (column) => column?.form === "counter" && this.#counters.get(column)?.[row] !== undefined,
    );
  }

  #contribution({ model }: PropertyCells, column: PropertyColumn, row: number): Parameter {
    if (column.form === "set") return itemsOf(column, row);
    if (column.form === "counter") return undefined;
    const usual = model.merge === "first" ? this.#columns.firstSeenMs : this.#columns.lastSeenMs;
    return registerCell(model, column, row, usual[row]!);
  }
}

function sliceCell(timeMs: number, ttlMs: number | undefined): Buffer {
  return ttlMs === undefined ? noSlice : bigintCell(sliceOf(timeMs, ttlMs));
}

function itemsOf({ starts, items }: Extract<PropertyColumn, { form: "set" }>, row: number): Parameter {
  const [from, to] = [starts[row]!, starts[row + 1]!];
  if (from === to) return undefined;
  const { bytes } = items;
  return Array.from({ length: to - from }, (_, i) => {
    const start = items.starts[from + i]!;
    return Buffer.from(bytes.buffer, bytes.byteOffset + start, items.starts[from + i + 1]! - start);
  });
}

/** Statements by node type and row of the batch, in order of first mention. */
class Partitions {
  readonly all: PartitionWrites[] = [];
  readonly #ids: BatchIds;
  readonly #byRow: (PartitionWrites | undefined)[][];
  /** Of all lists that have some: equal keys are equal partitions. */
  readonly #buckets = new Map<string, PartitionWrites>();

  constructor(ids: BatchIds) {
    this.#ids = ids;
    this.#byRow = ids.map(() => []);
  }

  at(type: number, row: number): PartitionWrites {
    const rows = this.#byRow[type]!;
    let partition = rows[row];
    if (partition === undefined) {
      partition = { key: this.idAt(type, row), statements: [] };
      rows[row] = partition;
      this.all.push(partition);
    }
    return partition;
  }

  idAt(type: number, row: number): Buffer {
    return this.#byRow[type]![row]?.key ?? idBytesAt(this.#ids, type, row);
  }

  /** That of an edge of the node in this row. */
  ofList(list: ListKind, type: number, row: number, neighbour: Buffer): PartitionWrites {
    if (bucketsOf(list) === 1) return this.at(type, row);
    const key = inBucket(bucketOf(list, neighbour), this.idAt(type, row).toString());
    let partition = this.#buckets.get(key);
    if (partition === undefined) {
      partition = { key: Buffer.from(key), statements: [] };
      this.#buckets.set(key, partition);
      this.all.push(partition);
    }
    return partition;
  }
}

/** About what the statement weighs on its way. */
export function sizeOf({ params }: Statement): number {
  let bytes = statementBytes;
  for (const param of params) {
    if (param === undefined || typeof param === "number") continue;
    if (Array.isArray(param)) for (const item of param) bytes += item.length + 8;
    else bytes += (param as Buffer | string).length + 8;
  }
  return bytes;
}
