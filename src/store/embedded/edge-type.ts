// The edges of one type: rows found by (from, to), and both directions' lists, always written together from one update. Hot path.
import { hashPair } from "../../core/hash.ts";
import type { GraphModel } from "../../model/definition.ts";
import { AdjacencyLists } from "./adjacency.ts";
import { ElementType } from "./element-type.ts";
import { HashTable, shardShift } from "./hash-table.ts";
import { type NodeType, sliceRows } from "./node-type.ts";
import type { Epoch } from "./pages.ts";
import { listsOf } from "./row-layout.ts";
import { rowMask, rowShift } from "./rows.ts";

export const fromAt = 0;
export const toAt = 1;

const hashes = new Uint32Array(sliceRows);
const entries = new Uint32Array(sliceRows);

export class EdgeType extends ElementType {
  readonly table: HashTable;
  readonly from: NodeType;
  readonly to: NodeType;
  readonly out: AdjacencyLists;
  readonly in: AdjacencyLists;

  constructor(graph: GraphModel, index: number, nodes: readonly NodeType[], epoch: Epoch) {
    const model = graph.edges[index]!;
    super(index, model, 0, graph.latenessMs, epoch);
    this.table = new HashTable(epoch);
    const typeOf = (name: string): NodeType => nodes[graph.nodes.findIndex((node) => node.name === name)]!;
    this.from = typeOf(model.from);
    this.to = typeOf(model.to);
    this.out = new AdjacencyLists(this.from, this.to, headOf(graph, this.from, index, "out"), this.rows, toAt, epoch);
    this.in = new AdjacencyLists(this.to, this.from, headOf(graph, this.to, index, "in"), this.rows, fromAt, epoch);
  }

  override get usedBytes(): number {
    return super.usedBytes + this.table.shards.sizeBytes + this.out.arena.usedBytes + this.in.arena.usedBytes;
  }

  /** The row of the edge, or -1. */
  find(from: number, to: number): number {
    return this.#find(hashPair(from, to), from, to);
  }

  /**
   * The rows of the edges `start` to `end` of a batch, at most `sliceRows`, made where there are none; new ones are in no list yet. In loops that wait for memory at one place
   * each, as in node-type.ts: the slots, the rows, the heads of the lists, the lists' newest entries.
   */
  internAll(from: Uint32Array, to: Uint32Array, rows: Uint32Array, start: number, end: number): void {
    for (let i = start; i < end; i++) {
      const hash = hashPair(from[i - start]!, to[i - start]!);
      const slots = this.table.shards.words[hash >>> shardShift]!;
      const slot = (hash << 1) & (slots.length - 1);
      hashes[i - start] = hash;
      entries[i - start] = slots[slot] === hash ? slots[slot + 1]! : 0;
    }
    for (let i = start; i < end; i++) {
      const entry = entries[i - start]!;
      const isIt = entry !== 0 && this.#connects(entry - 1, from[i - start]!, to[i - start]!);
      rows[i] = isIt ? entry - 1 : this.#intern(hashes[i - start]!, from[i - start]!, to[i - start]!);
    }
  }

  #intern(hash: number, from: number, to: number): number {
    const found = this.#find(hash, from, to);
    if (found >= 0) return found;
    const row = this.rows.allocate();
    const words = this.rows.pages.words[row >>> rowShift]!;
    const base = (row & rowMask) * this.rows.stride * 2;
    words[base + fromAt] = from;
    words[base + toAt] = to;
    this.from.hold(from, 1);
    this.to.hold(to, 1);
    this.table.insert(hash, row);
    return row;
  }

  /** Puts the edge where its times say into the lists of both ends, out of where they said before. */
  relist(row: number, oldLastMs: number, wasListed: boolean): void {
    const lastMs = this.rows.lastSeenMs(row);
    const isListed = this.isListed(row);
    if (wasListed ? isListed && lastMs === oldLastMs : !isListed) return;
    const from = this.rows.word(row, fromAt);
    const to = this.rows.word(row, toAt);
    if (!wasListed) {
      this.out.insert(from, lastMs, row, to);
      this.in.insert(to, lastMs, row, from);
    } else if (isListed) {
      this.out.move(from, oldLastMs, lastMs, row, to);
      this.in.move(to, oldLastMs, lastMs, row, from);
    } else {
      this.out.remove(from, oldLastMs, row, to);
      this.in.remove(to, oldLastMs, row, from);
    }
  }

  /** Whether the edge is in lists: seen after its own last removal. Expiry and the ends' removals are for readers to ask. */
  isListed(row: number): boolean {
    return this.rows.lastSeenMs(row) > this.rows.removedAtMs(row);
  }

  /** Whether readers see the edge. */
  isSeen(row: number, nowMs: number): boolean {
    return this.isVisible(row, nowMs) && this.rows.lastSeenMs(row) > this.endsRemovedAtMs(row);
  }

  /** The later removal of its end nodes. */
  endsRemovedAtMs(row: number): number {
    return Math.max(
      this.from.rows.removedAtMs(this.rows.word(row, fromAt)),
      this.to.rows.removedAtMs(this.rows.word(row, toAt)),
    );
  }

  /** Takes the edge out of everything and gives its row back. */
  forget(row: number): void {
    const lastMs = this.rows.lastSeenMs(row);
    const wasListed = this.isListed(row);
    const from = this.rows.word(row, fromAt);
    const to = this.rows.word(row, toAt);
    this.rows.pages.touch(row >>> rowShift);
    this.startAfresh(row);
    this.relist(row, lastMs, wasListed);
    this.table.remove(hashPair(from, to), row);
    this.from.hold(from, -1);
    this.to.hold(to, -1);
    this.rows.free(row);
  }

  #find(hash: number, from: number, to: number): number {
    const slots = this.table.shards.words[hash >>> shardShift]!;
    const mask = slots.length - 1;
    for (let slot = (hash << 1) & mask; ; slot = (slot + 2) & mask) {
      const entry = slots[slot + 1]!;
      if (entry === 0) return -1;
      if (slots[slot] !== hash) continue;
      if (this.#connects(entry - 1, from, to)) return entry - 1;
    }
  }

  #connects(row: number, from: number, to: number): boolean {
    const words = this.rows.pages.words[row >>> rowShift]!;
    const base = (row & rowMask) * this.rows.stride * 2;
    return words[base + fromAt] === from && words[base + toAt] === to;
  }
}

function headOf(graph: GraphModel, node: NodeType, edge: number, direction: "out" | "in"): number {
  const list = listsOf(graph, graph.nodes[node.index]!).findIndex(
    (candidate) => candidate.edge === edge && candidate.direction === direction,
  );
  return node.rows.layout.headsAt[list]!;
}
