// Counters that stay exact when frames are applied again: per element and source a register of the last offset that is counted, and the count up to there.
// A writer keeps those that it wrote in memory and reads the others first.
//
// The count at an offset is a function of the source's frames alone, so a second writer of the same source, also one that thinks it is the first, writes the same.
// What a writer remembers is right as long as no other took over the source meanwhile: `forget` when that may have happened.
import type { types } from "cassandra-driver";
import { WeighedCache } from "../../core/weighed-cache.ts";
import type { UpdateFrame } from "../../log/port.ts";
import {
  type EdgeColumns,
  type NodeColumns,
  type PropertyColumn,
  stateAbsent,
  type UpdateBatch,
} from "../../model/update/batch.ts";
import { type BatchIds, idAt, sliceOf } from "./batch-ids.ts";
import { type CounterRegister, counterCell, counterOfCell } from "./cells.ts";
import type { EdgeLayout, GraphLayout, NodeLayout } from "./layout.ts";
import { quoted, tableOf } from "./layout.ts";
import { partitionOf, recordIn } from "./partitions.ts";
import type { Session } from "./session.ts";

/** Cells by row, of each column of counters. */
export type CounterCells = ReadonlyMap<PropertyColumn, readonly (Buffer | undefined)[]>;

export interface FrameCounters {
  readonly cells: CounterCells;
  /**
   * To be called when they are written.
   * @param waits some of them wait in the repair queue
   */
  remember(waits: boolean): void;
}

/** Registers of one element, slice and source, by index of the property. */
type Registers = readonly (CounterRegister | undefined)[];

interface Counting {
  readonly key: string;
  readonly row: number;
  readonly record: string;
  readonly neighbour: string;
  readonly slice: number;
}

const keysPerRead = 20;
const registerBytes = 120;
const none: Registers = [];

export class Counters {
  readonly #session: Session;
  readonly #layout: GraphLayout;
  readonly #bytesMax: number;
  #known: WeighedCache<Registers>;
  /** Those of which a write may wait in the repair queue: what is stored is older. */
  readonly #waiting = new Map<string, Registers>();
  #waitingBytes = 0;

  constructor(session: Session, layout: GraphLayout, bytesMax: number) {
    this.#session = session;
    this.#layout = layout;
    this.#bytesMax = bytesMax;
    this.#known = new WeighedCache(bytesMax);
  }

  get sizeBytes(): number {
    return this.#known.weight;
  }

  /** What was remembered may be behind what is stored. */
  forget(): void {
    this.#known = new WeighedCache(this.#bytesMax);
  }

  /** No more may wait in the repair queue. */
  get isFull(): boolean {
    return this.#waitingBytes >= this.#bytesMax;
  }

  /** Nothing waits in the repair queue any more. */
  settled(): void {
    this.#waiting.clear();
    this.#waitingBytes = 0;
  }

  /** Whether the batch adds to any. */
  areIn(batch: UpdateBatch): boolean {
    return [...batch.nodes, ...batch.edges].some(({ properties }) =>
      properties.some((column) => column?.form === "counter"),
    );
  }

  /** What the frame makes of the counters that it adds to. */
  async count(frame: UpdateFrame, batch: UpdateBatch, ids: BatchIds): Promise<FrameCounters> {
    const cells = new Map<PropertyColumn, (Buffer | undefined)[]>();
    const counted = new Map<string, Registers>();
    for (const columns of batch.nodes) {
      const node = this.#layout.nodes[columns.type]!;
      if (node.hasCounters)
        await this.#countType(frame, node, columns, nodeCounting(node, columns, ids), cells, counted);
    }
    for (const columns of batch.edges) {
      const edge = this.#layout.edges[columns.type]!;
      if (edge.hasCounters)
        await this.#countType(frame, edge, columns, edgeCounting(edge, columns, ids), cells, counted);
    }
    return {
      cells,
      remember: (waits) => {
        for (const [key, registers] of counted) {
          const weight = 2 * key.length + registerBytes * registers.length;
          this.#known.set(key, registers, weight);
          if (!waits && !this.#waiting.has(key)) continue;
          if (!this.#waiting.has(key)) this.#waitingBytes += weight;
          this.#waiting.set(key, registers);
        }
      },
    };
  }

  async #countType(
    { source, offset }: UpdateFrame,
    type: NodeLayout | EdgeLayout,
    columns: NodeColumns | EdgeColumns,
    all: Iterable<Counting>,
    cells: Map<PropertyColumn, (Buffer | undefined)[]>,
    counted: Map<string, Registers>,
  ): Promise<void> {
    const added = type.properties.flatMap(({ form }, property) => {
      const column = columns.properties[property];
      return form === "counter" && column?.form === "counter" ? [{ property, column }] : [];
    });
    if (added.length === 0) return;
    for (const { column } of added) cells.set(column, []);
    const counting = [...all].filter(({ row }) => added.some(({ column }) => column.states?.[row] !== stateAbsent));
    // Taken at once: what is known now may have made room for others when the rest is read.
    const keyed = counting.map((each) => {
      const key = `${source.length}:${source}${each.key}`;
      return { ...each, key, known: this.#waiting.get(key) ?? this.#known.get(key) };
    });
    const read = await this.#readMissing(
      source,
      type,
      keyed.filter(({ known }) => known === undefined),
    );
    for (const { key, row, known } of keyed) {
      const registers = [...(known ?? read.get(key) ?? none)];
      for (const { property, column } of added) {
        if (column.states?.[row] === stateAbsent) continue;
        const before = registers[property];
        if (before !== undefined && before.offset >= offset) continue;
        const absolute = BigInt.asIntN(64, (before?.absolute ?? 0n) + BigInt((column.exact ?? column.values)[row]!));
        registers[property] = { offset, absolute };
        cells.get(column)![row] = counterCell(offset, absolute);
      }
      counted.set(key, registers);
    }
  }

  /** Registers of what this writer does not know, by key. */
  async #readMissing(
    source: string,
    type: NodeLayout | EdgeLayout,
    missing: readonly Counting[],
  ): Promise<ReadonlyMap<string, Registers>> {
    const found = new Map<string, Registers>();
    const wanted = new Map(missing.map((each) => [rowKey(each.record, each.neighbour, each.slice), each.key]));
    const names = type.properties.map(({ column, form }) => (form === "counter" ? column : undefined));
    const selected = names.filter((name) => name !== undefined).map(quoted);
    const take = (rows: readonly types.Row[], isNode: boolean): void => {
      for (const row of rows) {
        const record =
          "table" in type
            ? (row.get("id") as string)
            : recordIn({ edge: type, direction: "out" }, row.get("rec") as string);
        const neighbour = isNode ? "" : (row.get("nb") as string);
        const slice = (row.get("slice") as types.Long).toNumber();
        const key = wanted.get(rowKey(record, neighbour, slice));
        if (key !== undefined)
          found.set(
            key,
            names.map((name) => registerOf(row, name, source)),
          );
      }
    };
    const reads: Promise<void>[] = [];
    if ("table" in type) {
      const query = `SELECT id, slice, ${selected.join(", ")} FROM ${tableOf(this.#layout, type.table)} WHERE id IN ?`;
      for (const ids of chunks([...new Set(missing.map(({ record }) => record))], keysPerRead)) {
        reads.push(this.#session.readToWrite(query, [ids]).then(({ rows }) => take(rows, true)));
      }
    } else {
      const query = `SELECT rec, nb, slice, ${selected.join(", ")} FROM ${tableOf(this.#layout, type.forward)} WHERE rec = ? AND nb IN ?`;
      const list = { edge: type, direction: "out" } as const;
      const byPartition = Map.groupBy(missing, ({ record, neighbour }) => partitionOf(list, record, neighbour));
      for (const [partition, neighbours] of byPartition) {
        for (const ids of chunks([...new Set(neighbours.map(({ neighbour }) => neighbour))], keysPerRead)) {
          reads.push(this.#session.readToWrite(query, [partition, ids]).then(({ rows }) => take(rows, false)));
        }
      }
    }
    await Promise.all(reads);
    return found;
  }
}

function* nodeCounting(node: NodeLayout, columns: NodeColumns, ids: BatchIds): Generator<Counting> {
  for (let row = 0; row < columns.count; row++) {
    if (columns.lastSeenMs[row] === -Infinity) continue;
    const record = idAt(ids, columns.type, row);
    const slice = sliceOf(columns.lastSeenMs[row]!, node.ttlMs);
    yield { key: `n${node.type}/${slice}/${record}`, row, record, neighbour: "", slice };
  }
}

function* edgeCounting(edge: EdgeLayout, columns: EdgeColumns, ids: BatchIds): Generator<Counting> {
  for (let row = 0; row < columns.count; row++) {
    if (columns.lastSeenMs[row] === -Infinity) continue;
    const record = idAt(ids, edge.from, columns.from[row]!);
    const neighbour = idAt(ids, edge.to, columns.to[row]!);
    const slice = sliceOf(columns.lastSeenMs[row]!, edge.ttlMs);
    yield { key: `e${edge.type}/${slice}/${record.length}:${record}${neighbour}`, row, record, neighbour, slice };
  }
}

const rowKey = (record: string, neighbour: string, slice: number): string =>
  `${slice}/${record.length}:${record}${neighbour}`;

function registerOf(row: types.Row, name: string | undefined, source: string): CounterRegister | undefined {
  if (name === undefined) return undefined;
  const cell = (row.get(name) as ReadonlyMap<string, Buffer> | null)?.get(source);
  return cell === undefined ? undefined : counterOfCell(cell);
}

/** Parts of at most `size`. */
export function* chunks<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  for (let from = 0; from < all.length; from += size) yield all.slice(from, from + size);
}
