// The adjacency lists of one edge type in one direction: every node's edges in exact order, from a single inlined edge to millions. Hot path.
//
// Order within a list, oldest first: last seen ascending, neighbour id (bytes) descending; so reading backwards is the order latest. An edge is in its lists
// while its last seen is later than its own removal. A list's head is two words in the node's row, by size:
//   none      [0, 0]
//   one       [row of the edge, kind]                  time and neighbour are read from the edge's row
//   2-256     [block, kind | class << 4 | n << 8]      a block of 2^class entries in the arena
//   more      [directory, kind]                        big-list.ts: chunks of at most 256 entries
// An entry is 16 bytes: time f64 | row of the edge u32 | row of the neighbour u32.
import { Arena, pageShift, unitMask } from "./arena.ts";
import { BigLists, bigListMin } from "./big-list.ts";
import { EntryBlocks, entryBytes } from "./entry-block.ts";
import { type NodeType, sliceRows } from "./node-type.ts";
import type { Epoch } from "./pages.ts";
import { rowMask, rowShift, type Rows } from "./rows.ts";

const none = 0;
const one = 1;
const small = 2;
const big = 3;
const kindMask = 15;
const smallMax = 256;

const newest = new Uint32Array(sliceRows);

export class AdjacencyLists {
  readonly arena: Arena;
  /** Nodes whose lists these are, and their neighbours. */
  readonly nodes: NodeType;
  readonly neighbours: NodeType;
  readonly #edges: Rows;
  /** Word of an edge's row that leads to the neighbour: 0 from, 1 to. */
  readonly #neighbourAt: number;
  readonly #headAt: number;
  readonly #blocks: EntryBlocks;
  readonly #big: BigLists;

  constructor(nodes: NodeType, neighbours: NodeType, headAt: number, edges: Rows, neighbourAt: number, epoch: Epoch) {
    this.nodes = nodes;
    this.neighbours = neighbours;
    this.arena = new Arena(epoch);
    this.#edges = edges;
    this.#neighbourAt = neighbourAt;
    this.#headAt = headAt;
    this.#blocks = new EntryBlocks(this.arena, neighbours);
    this.#big = new BigLists(this.arena, this.#blocks);
  }

  /** Number of entries. */
  size(node: number): number {
    const state = this.nodes.rows.word(node, this.#headAt + 1);
    const kind = state & kindMask;
    if (kind === none) return 0;
    if (kind === one) return 1;
    return kind === small ? state >>> 8 : this.#big.size(this.nodes.rows.word(node, this.#headAt));
  }

  /**
   * Reads what changing the lists of these nodes reads first, in loops that wait for memory at one place each, so that the processor waits for many lists at
   * once: the heads, then the newest entries. Without it every change waits for both by itself. The result means nothing.
   */
  approach(nodes: Uint32Array, count: number): number {
    const { stride, pages } = this.nodes.rows;
    for (let i = 0; i < count; i++) {
      const node = nodes[i]!;
      const words = pages.words[node >>> rowShift]!;
      const at = (node & rowMask) * stride * 2 + this.#headAt;
      const state = words[at + 1]!;
      newest[i] = (state & kindMask) === small ? words[at]! + 2 * ((state >>> 8) - 1) : 0;
    }
    const { doubles } = this.arena.pages;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const place = newest[i]!;
      if (place !== 0) sum += doubles[place >>> pageShift]![place & unitMask]!;
    }
    return sum;
  }

  /** Adds an edge that is not in the list. */
  insert(node: number, timeMs: number, edge: number, neighbour: number): void {
    const head = this.nodes.rows.word(node, this.#headAt);
    const state = this.nodes.rows.word(node, this.#headAt + 1);
    const kind = state & kindMask;
    if (kind === none) this.#setHead(node, edge, one);
    else if (kind === one) this.#insertSecond(node, head, timeMs, edge, neighbour);
    else if (kind === small) this.#insertSmall(node, head, state, timeMs, edge, neighbour);
    else {
      const directory = this.#big.insert(head, timeMs, edge, neighbour);
      if (directory !== head) this.#setHead(node, directory, big);
    }
  }

  /** Takes an edge out that is in the list with this time. */
  remove(node: number, timeMs: number, edge: number, neighbour: number): void {
    const head = this.nodes.rows.word(node, this.#headAt);
    const state = this.nodes.rows.word(node, this.#headAt + 1);
    const kind = state & kindMask;
    if (kind === one) this.#setHead(node, 0, none);
    else if (kind === small) this.#removeSmall(node, head, state, timeMs, edge, neighbour);
    else this.#removeBig(node, head, timeMs, edge, neighbour);
  }

  /** Moves an edge that is in the list with the old time to its later time. */
  move(node: number, oldMs: number, newMs: number, edge: number, neighbour: number): void {
    const { rows } = this.nodes;
    const words = rows.pages.words[node >>> rowShift]!;
    const at = (node & rowMask) * rows.stride * 2 + this.#headAt;
    const state = words[at + 1]!;
    const kind = state & kindMask;
    if (kind === one) return;
    const head = words[at]!;
    if (kind === small) {
      this.arena.pages.touch(head >>> pageShift);
      this.#blocks.move(head, state >>> 8, oldMs, newMs, edge, neighbour);
    } else {
      const directory = this.#big.move(head, oldMs, newMs, edge, neighbour);
      if (directory !== head) this.#setHead(node, directory, big);
    }
  }

  /** Whether the edge is in the list with this time. */
  has(node: number, timeMs: number, edge: number, neighbour: number): boolean {
    const head = this.nodes.rows.word(node, this.#headAt);
    const state = this.nodes.rows.word(node, this.#headAt + 1);
    const kind = state & kindMask;
    if (kind === none) return false;
    if (kind === one) return head === edge;
    if (kind === small) return this.#blocks.has(head, state >>> 8, timeMs, edge, neighbour);
    return this.#big.has(head, timeMs, edge, neighbour);
  }

  /** Entries before the bound: older than `timeMs`, or of that time and with an id greater than `bytes[start, end)` where that is given. */
  countBefore(node: number, timeMs: number, bytes?: Uint8Array): number {
    const head = this.nodes.rows.word(node, this.#headAt);
    const state = this.nodes.rows.word(node, this.#headAt + 1);
    const kind = state & kindMask;
    if (kind === none) return 0;
    if (kind === one) {
      const heldMs = this.#edges.lastSeenMs(head);
      return this.#blocks.isBefore(heldMs, this.#edges.word(head, this.#neighbourAt), timeMs, bytes) ? 1 : 0;
    }
    if (kind === small) return this.#blocks.countBefore(head, state >>> 8, timeMs, bytes);
    return this.#big.countBefore(head, timeMs, bytes);
  }

  /** A reader of the list, newest first, from the entry number `count - 1` down. The list must not change while it is used. */
  walk(node: number, count: number): ListWalk {
    const head = this.nodes.rows.word(node, this.#headAt);
    const state = this.nodes.rows.word(node, this.#headAt + 1);
    const kind = state & kindMask;
    const walk = new ListWalk(this.arena, this.#big);
    if (count === 0 || kind === none) return walk;
    if (kind === one) walk.single(this.#edges.lastSeenMs(head), head, this.#edges.word(head, this.#neighbourAt));
    else if (kind === small) walk.block(head, count);
    else walk.chunks(head, count);
    return walk;
  }

  #setHead(node: number, head: number, state: number): void {
    const page = node >>> rowShift;
    const { rows } = this.nodes;
    rows.pages.touch(page);
    const words = rows.pages.words[page]!;
    const at = (node & rowMask) * rows.stride * 2 + this.#headAt;
    words[at] = head;
    words[at + 1] = state;
  }

  #insertSecond(node: number, held: number, timeMs: number, edge: number, neighbour: number): void {
    const block = this.arena.allocate(2 * entryBytes);
    const heldNeighbour = this.#edges.word(held, this.#neighbourAt);
    this.#blocks.write(block, 0, this.#edges.lastSeenMs(held), held, heldNeighbour);
    this.#blocks.insert(block, 1, timeMs, edge, neighbour);
    this.#setHead(node, block, small | (1 << 4) | (2 << 8));
  }

  #insertSmall(node: number, held: number, state: number, timeMs: number, edge: number, neighbour: number): void {
    let block = held;
    let sizeClass = (state >>> 4) & 15;
    const count = state >>> 8;
    if (count === smallMax) {
      this.#setHead(node, this.#big.create(block, count), big);
      return this.insert(node, timeMs, edge, neighbour);
    }
    if (count === 1 << sizeClass) block = this.#resize(block, count, sizeClass, ++sizeClass);
    else this.arena.pages.touch(block >>> pageShift);
    this.#blocks.insert(block, count, timeMs, edge, neighbour);
    this.#setHead(node, block, small | (sizeClass << 4) | ((count + 1) << 8));
  }

  #removeSmall(node: number, held: number, state: number, timeMs: number, edge: number, neighbour: number): void {
    let block = held;
    let sizeClass = (state >>> 4) & 15;
    const count = (state >>> 8) - 1;
    this.arena.pages.touch(block >>> pageShift);
    this.#blocks.remove(block, count + 1, timeMs, edge, neighbour);
    if (count === 1) {
      const left = this.#blocks.edge(block, 0);
      this.arena.free(block, entryBytes << sizeClass);
      return this.#setHead(node, left, one);
    }
    if (count <= 1 << (sizeClass - 2)) block = this.#resize(block, count, sizeClass, --sizeClass);
    this.#setHead(node, block, small | (sizeClass << 4) | (count << 8));
  }

  #removeBig(node: number, head: number, timeMs: number, edge: number, neighbour: number): void {
    this.#big.remove(head, timeMs, edge, neighbour);
    if (this.#big.size(head) > bigListMin) return;
    const block = this.arena.allocate(smallMax * entryBytes);
    const count = this.#big.dissolve(head, block);
    this.#setHead(node, block, small | (8 << 4) | (count << 8));
  }

  #resize(block: number, count: number, oldClass: number, newClass: number): number {
    const resized = this.arena.allocate(entryBytes << newClass);
    this.#blocks.copy(block, 0, resized, 0, count);
    this.arena.free(block, entryBytes << oldClass);
    return resized;
  }
}

const noDoubles = new Float64Array(0);
const noWords = new Uint32Array(0);

/** Steps through a list from newer to older entries. */
export class ListWalk {
  /** The entry that `next` stepped to. */
  timeMs = 0;
  edge = 0;
  neighbour = 0;
  readonly #arena: Arena;
  readonly #big: BigLists;
  /** The block that is being read, as the number of its first double, and the entries left in it. */
  #doubles: Float64Array = noDoubles;
  #words: Uint32Array = noWords;
  #base = 0;
  #left = 0;
  #directory = 0;
  #chunk = 0;
  #single = false;

  constructor(arena: Arena, bigLists: BigLists) {
    this.#arena = arena;
    this.#big = bigLists;
  }

  /** False when there are no more entries. */
  next(): boolean {
    if (this.#left === 0 && !this.#nextChunk()) return false;
    this.#left--;
    if (this.#single) return true;
    const at = this.#base + this.#left * 2;
    this.timeMs = this.#doubles[at]!;
    this.edge = this.#words[at * 2 + 2]!;
    this.neighbour = this.#words[at * 2 + 3]!;
    return true;
  }

  /** The edges of the entries that come next, as far as they are in the block that is being read; returns how many. */
  ahead(edges: Uint32Array): number {
    if (this.#single) return 0;
    const count = Math.min(edges.length, this.#left);
    const words = this.#words;
    let at = (this.#base + this.#left * 2) * 2 + 2;
    for (let i = 0; i < count; i++) edges[i] = words[(at -= 4)]!;
    return count;
  }

  single(timeMs: number, edge: number, neighbour: number): void {
    this.timeMs = timeMs;
    this.edge = edge;
    this.neighbour = neighbour;
    this.#single = true;
    this.#left = 1;
  }

  block(block: number, count: number): void {
    this.#doubles = this.#arena.pages.doubles[block >>> pageShift]!;
    this.#words = this.#arena.pages.words[block >>> pageShift]!;
    this.#base = block & unitMask;
    this.#left = count;
  }

  chunks(directory: number, count: number): void {
    let chunk = this.#big.chunks(directory) - 1;
    let before = this.#big.size(directory) - this.#big.chunkCount(directory, chunk);
    while (before >= count) before -= this.#big.chunkCount(directory, --chunk);
    this.#directory = directory;
    this.#chunk = chunk;
    this.block(this.#big.chunkBlock(directory, chunk), count - before);
  }

  #nextChunk(): boolean {
    if (this.#chunk === 0) return false;
    this.#chunk--;
    this.block(this.#big.chunkBlock(this.#directory, this.#chunk), this.#big.chunkCount(this.#directory, this.#chunk));
    return true;
  }
}
