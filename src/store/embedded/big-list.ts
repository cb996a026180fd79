// Adjacency lists of more than 256 entries: chunks of at most 256 entries in order, and a directory that says where each begins. Hot path.
//
// The directory is a block of 16-byte places as well. Place 0 is its header: words [entries in all, chunks, log2 of the places it has room for, 0]; place i + 1
// describes chunk i: time of its oldest entry f64 | block u32 | entries u32. A late edge goes into its chunk: a shift of at most 256 entries. A full chunk is split in
// halves, but at the new end of the list a fresh one is begun; one that falls below a quarter joins a neighbour if both fit.
import { type Arena, pageShift, unitMask } from "./arena.ts";
import { type EntryBlocks, entryBytes } from "./entry-block.ts";

const chunkMax = 256;
const chunkBytes = chunkMax * entryBytes;
const joinBelow = chunkMax / 4;
const joinedMax = (chunkMax * 3) / 4;
/** A list that shrinks to this many entries becomes one block again. */
export const bigListMin = chunkMax / 2;
const firstPlacesLog2 = 3;

export class BigLists {
  readonly #arena: Arena;
  readonly #blocks: EntryBlocks;

  constructor(arena: Arena, blocks: EntryBlocks) {
    this.#arena = arena;
    this.#blocks = blocks;
  }

  /** The directory of a list whose first chunk is this full block. */
  create(block: number, count: number): number {
    const directory = this.#arena.allocate(entryBytes << firstPlacesLog2);
    this.#setHeader(directory, count, 1, firstPlacesLog2);
    this.#setChunk(directory, 0, block, count);
    return directory;
  }

  size(directory: number): number {
    return this.#word(directory, 0);
  }

  chunks(directory: number): number {
    return this.#word(directory, 1);
  }

  chunkBlock(directory: number, chunk: number): number {
    return this.#word(directory, 4 * (chunk + 1) + 2);
  }

  chunkCount(directory: number, chunk: number): number {
    return this.#word(directory, 4 * (chunk + 1) + 3);
  }

  /** Returns the directory, which is another one when it had to grow. */
  insert(held: number, timeMs: number, edge: number, neighbour: number): number {
    let directory = held;
    this.#touch(directory);
    let chunk = this.#chunkOf(directory, timeMs, neighbour);
    let block = this.chunkBlock(directory, chunk);
    let count = this.chunkCount(directory, chunk);
    if (count === chunkMax) {
      directory = this.#room(directory);
      const atEnd =
        chunk === this.chunks(directory) - 1 && this.#blocks.isBeforeNeighbour(block, count - 1, timeMs, neighbour);
      const upper = this.#split(directory, chunk, atEnd ? chunkMax : chunkMax / 2);
      if (atEnd || this.#blocks.isBeforeNeighbour(upper, 0, timeMs, neighbour)) chunk++;
      block = this.chunkBlock(directory, chunk);
      count = this.chunkCount(directory, chunk);
    }
    this.#touch(block);
    this.#blocks.insert(block, count, timeMs, edge, neighbour);
    this.#setChunk(directory, chunk, block, count + 1);
    this.#setWord(directory, 0, this.size(directory) + 1);
    return directory;
  }

  remove(directory: number, timeMs: number, edge: number, neighbour: number): void {
    this.#touch(directory);
    const chunk = this.#chunkOf(directory, timeMs, neighbour);
    const block = this.chunkBlock(directory, chunk);
    const count = this.chunkCount(directory, chunk) - 1;
    this.#touch(block);
    this.#blocks.remove(block, count + 1, timeMs, edge, neighbour);
    this.#setWord(directory, 0, this.size(directory) - 1);
    this.#setChunk(directory, chunk, block, count);
    if (count === 0) this.#drop(directory, chunk);
    else if (count < joinBelow) this.#joinAround(directory, chunk);
  }

  /** Moves an edge to its later time; returns the directory. */
  move(directory: number, oldMs: number, newMs: number, edge: number, neighbour: number): number {
    const chunk = this.#chunkOf(directory, oldMs, neighbour);
    if (this.#chunkOf(directory, newMs, neighbour) !== chunk) {
      this.remove(directory, oldMs, edge, neighbour);
      return this.insert(directory, newMs, edge, neighbour);
    }
    const block = this.chunkBlock(directory, chunk);
    const count = this.chunkCount(directory, chunk);
    this.#touch(directory);
    this.#touch(block);
    this.#blocks.move(block, count, oldMs, newMs, edge, neighbour);
    this.#setChunk(directory, chunk, block, count);
    return directory;
  }

  has(directory: number, timeMs: number, edge: number, neighbour: number): boolean {
    const chunk = this.#chunkOf(directory, timeMs, neighbour);
    const count = this.chunkCount(directory, chunk);
    return this.#blocks.has(this.chunkBlock(directory, chunk), count, timeMs, edge, neighbour);
  }

  /** Entries before (timeMs, id), counted from the new end, where bounds are mostly near. */
  countBefore(directory: number, timeMs: number, id?: Uint8Array): number {
    let low = 0;
    let high = this.chunks(directory) - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const block = this.chunkBlock(directory, middle);
      if (this.#blocks.isBefore(this.#firstMs(directory, middle), this.#blocks.neighbour(block, 0), timeMs, id))
        low = middle;
      else high = middle - 1;
    }
    let count = this.size(directory);
    for (let chunk = this.chunks(directory) - 1; chunk >= low; chunk--) count -= this.chunkCount(directory, chunk);
    return (
      count + this.#blocks.countBefore(this.chunkBlock(directory, low), this.chunkCount(directory, low), timeMs, id)
    );
  }

  /** Writes all entries into one block that has room, frees the list, returns their number. */
  dissolve(directory: number, block: number): number {
    let count = 0;
    for (let chunk = 0; chunk < this.chunks(directory); chunk++) {
      this.#blocks.copy(this.chunkBlock(directory, chunk), 0, block, count, this.chunkCount(directory, chunk));
      count += this.chunkCount(directory, chunk);
      this.#arena.free(this.chunkBlock(directory, chunk), chunkBytes);
    }
    this.#arena.free(directory, entryBytes << this.#word(directory, 2));
    return count;
  }

  /** The chunk that has the edge, or where it belongs: the last one that does not begin behind it. */
  #chunkOf(directory: number, timeMs: number, neighbour: number): number {
    let low = 0;
    let high = this.chunks(directory) - 1;
    if (high > 0 && this.#beginsAtOrBefore(directory, high, timeMs, neighbour)) return high;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#beginsAtOrBefore(directory, middle, timeMs, neighbour)) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #beginsAtOrBefore(directory: number, chunk: number, timeMs: number, neighbour: number): boolean {
    const firstMs = this.#firstMs(directory, chunk);
    if (firstMs !== timeMs) return firstMs < timeMs;
    const block = this.chunkBlock(directory, chunk);
    return (
      this.#blocks.neighbour(block, 0) === neighbour || this.#blocks.isBeforeNeighbour(block, 0, timeMs, neighbour)
    );
  }

  /** Moves the entries from `keep` on into a new chunk behind; returns its block. The directory has room. */
  #split(directory: number, chunk: number, keep: number): number {
    const block = this.chunkBlock(directory, chunk);
    const upper = this.#arena.allocate(chunkBytes);
    this.#touch(directory);
    this.#blocks.copy(block, keep, upper, 0, chunkMax - keep);
    const chunks = this.chunks(directory);
    this.#shiftPlaces(directory, chunk + 2, chunk + 3, chunks - chunk - 1);
    this.#setWord(directory, 1, chunks + 1);
    this.#setChunk(directory, chunk, block, keep);
    this.#setChunk(directory, chunk + 1, upper, chunkMax - keep);
    return upper;
  }

  #joinAround(directory: number, chunk: number): void {
    const count = this.chunkCount(directory, chunk);
    const chunks = this.chunks(directory);
    if (chunk > 0 && this.chunkCount(directory, chunk - 1) + count <= joinedMax) this.#join(directory, chunk - 1);
    else if (chunk < chunks - 1 && this.chunkCount(directory, chunk + 1) + count <= joinedMax)
      this.#join(directory, chunk);
  }

  /** Appends the entries of the next chunk to this one. */
  #join(directory: number, chunk: number): void {
    const block = this.chunkBlock(directory, chunk);
    const count = this.chunkCount(directory, chunk);
    const more = this.chunkCount(directory, chunk + 1);
    this.#touch(block);
    this.#blocks.copy(this.chunkBlock(directory, chunk + 1), 0, block, count, more);
    this.#setChunk(directory, chunk, block, count + more);
    this.#drop(directory, chunk + 1);
  }

  #drop(directory: number, chunk: number): void {
    this.#arena.free(this.chunkBlock(directory, chunk), chunkBytes);
    this.#touch(directory);
    const chunks = this.chunks(directory);
    this.#shiftPlaces(directory, chunk + 2, chunk + 1, chunks - chunk - 1);
    this.#setWord(directory, 1, chunks - 1);
  }

  /** The directory, or one twice as large, with room for another chunk. */
  #room(directory: number): number {
    const places = this.chunks(directory) + 1;
    const log2 = this.#word(directory, 2);
    if (places < 1 << log2) return directory;
    const grown = this.#arena.allocate(entryBytes << (log2 + 1));
    this.#blocks.copy(directory, 0, grown, 0, places);
    this.#arena.free(directory, entryBytes << log2);
    this.#setWord(grown, 2, log2 + 1);
    return grown;
  }

  #firstMs(directory: number, chunk: number): number {
    return this.#arena.pages.doubles[directory >>> pageShift]![(directory & unitMask) + 2 * (chunk + 1)]!;
  }

  #setChunk(directory: number, chunk: number, block: number, count: number): void {
    const firstMs = count === 0 ? 0 : this.#blocks.timeMs(block, 0);
    this.#blocks.write(directory, chunk + 1, firstMs, block, count);
  }

  #setHeader(directory: number, size: number, chunks: number, log2: number): void {
    this.#setWord(directory, 0, size);
    this.#setWord(directory, 1, chunks);
    this.#setWord(directory, 2, log2);
    this.#setWord(directory, 3, 0);
  }

  #shiftPlaces(directory: number, from: number, to: number, places: number): void {
    const base = directory & unitMask;
    const doubles = this.#arena.pages.doubles[directory >>> pageShift]!;
    doubles.copyWithin(base + 2 * to, base + 2 * from, base + 2 * (from + places));
  }

  #word(block: number, at: number): number {
    return this.#arena.pages.words[block >>> pageShift]![(block & unitMask) * 2 + at]!;
  }

  #setWord(block: number, at: number, value: number): void {
    this.#arena.pages.words[block >>> pageShift]![(block & unitMask) * 2 + at] = value;
  }

  #touch(block: number): void {
    this.#arena.pages.touch(block >>> pageShift);
  }
}
