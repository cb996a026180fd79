// Blocks of bytes of any size for what does not fit into rows: ids, values, adjacency lists. Size classes with free lists, in pages. Hot path.
//
// A reference is a u32: the page in its high 16 bits, the block's place in units of 8 bytes in its low 16 bits; 0 is no block. Sizes up to 128 bytes have a
// class per 8 bytes, larger ones four classes per doubling, so at most a fifth of a block is unused; all powers of two are classes. A block larger than a page has a
// page of its own. Who owns a block knows its size and gives it when it frees it.
import { assert } from "../../core/errors.ts";
import type { Epoch } from "./pages.ts";
import { PageList } from "./pages.ts";

/** A page holds 2^16 units of 8 bytes. */
export const arenaPageBytes = 1 << 19;
export const pageShift = 16;
export const unitMask = 0xffff;
const firstPageBytes = 4096;
/** Fewer than the high 16 bits of a reference could name, so that none reads as `freeRow`. */
const pagesMax = 65_535;
const classCount = 64;
const unitsOfClass = Uint32Array.from({ length: classCount }, (_, sizeClass) => unitsOf(sizeClass));

function unitsOf(sizeClass: number): number {
  if (sizeClass < 16) return sizeClass + 1;
  const step = sizeClass - 16;
  return (5 + (step & 3)) << (2 + (step >>> 2));
}

function classOf(units: number): number {
  if (units <= 16) return units - 1;
  const power = 31 - Math.clz32(units - 1);
  return 16 + (power - 4) * 4 + (((units - 1) >>> (power - 2)) & 3);
}

/** What a checkpoint keeps of an arena besides its pages. */
export interface ArenaState {
  readonly free: readonly number[];
  readonly freePages: readonly number[];
  readonly page: number;
  readonly unit: number;
  readonly usedBytes: number;
}

export class Arena {
  readonly pages: PageList;
  /** Bytes in blocks that are in use. */
  usedBytes = 0;
  /** First free block per class; a free block's first word is the next one. */
  readonly #free = new Uint32Array(classCount);
  /** Pages of freed large blocks, now without memory. */
  #freePages: number[] = [];
  /** Where the next block of a fresh page goes. */
  #page = -1;
  #unit = 0;

  constructor(epoch: Epoch) {
    this.pages = new PageList(epoch);
  }

  /** The bytes that a block for this many bytes has. */
  static capacityOf(sizeBytes: number): number {
    return sizeBytes > arenaPageBytes ? roundUp(sizeBytes) : unitsOfClass[classOf((sizeBytes + 7) >>> 3)]! * 8;
  }

  /** A block of at least this many bytes, whose content is undefined and whose page is safe to write. */
  allocate(sizeBytes: number): number {
    if (sizeBytes > arenaPageBytes) return this.#allocateLarge(roundUp(sizeBytes));
    const sizeClass = classOf((sizeBytes + 7) >>> 3);
    const units = unitsOfClass[sizeClass]!;
    this.usedBytes += units * 8;
    const free = this.#free[sizeClass]!;
    if (free === 0) return this.#cut(units);
    const page = free >>> pageShift;
    this.pages.touch(page);
    this.#free[sizeClass] = this.pages.words[page]![(free & unitMask) * 2]!;
    return free;
  }

  /** Gives a block back; `sizeBytes` as it was allocated, or anything of the same capacity. */
  free(reference: number, sizeBytes: number): void {
    const page = reference >>> pageShift;
    if (sizeBytes > arenaPageBytes) {
      this.usedBytes -= roundUp(sizeBytes);
      this.pages.resize(page, 0);
      this.#freePages.push(page);
      return;
    }
    const sizeClass = classOf((sizeBytes + 7) >>> 3);
    this.usedBytes -= unitsOfClass[sizeClass]! * 8;
    this.#link(reference, sizeClass);
  }

  state(): ArenaState {
    return {
      free: [...this.#free],
      freePages: [...this.#freePages],
      page: this.#page,
      unit: this.#unit,
      usedBytes: this.usedBytes,
    };
  }

  restore(state: ArenaState): void {
    this.#free.set(state.free);
    this.#freePages = [...state.freePages];
    this.#page = state.page;
    this.#unit = state.unit;
    this.usedBytes = state.usedBytes;
  }

  #link(reference: number, sizeClass: number): void {
    const page = reference >>> pageShift;
    this.pages.touch(page);
    this.pages.words[page]![(reference & unitMask) * 2] = this.#free[sizeClass]!;
    this.#free[sizeClass] = reference;
  }

  #cut(units: number): number {
    if (this.#page < 0 || this.#unit + units > 1 << pageShift) this.#nextPage();
    const end = (this.#unit + units) * 8;
    let sizeBytes = this.pages.words[this.#page]!.byteLength;
    if (end > sizeBytes) {
      while (sizeBytes < end) sizeBytes *= 4;
      this.pages.resize(this.#page, Math.min(sizeBytes, arenaPageBytes));
    } else this.pages.touch(this.#page);
    const reference = ((this.#page << pageShift) | this.#unit) >>> 0;
    this.#unit += units;
    return reference;
  }

  /** What is left of the page becomes free blocks. Unit 0 of page 0 is never a block, so that no reference is 0. */
  #nextPage(): void {
    while (this.#page >= 0 && this.#unit < 1 << pageShift) {
      const left = (1 << pageShift) - this.#unit;
      let sizeClass = classOf(left);
      if (unitsOfClass[sizeClass]! > left) sizeClass--;
      this.#link(this.#cut(unitsOfClass[sizeClass]!), sizeClass);
    }
    assert(this.pages.length < pagesMax, "The ids, values or lists of one type take more than 32 GB.");
    const first = this.pages.length === 0;
    this.#page = this.pages.add(first ? firstPageBytes : arenaPageBytes);
    this.#unit = first ? 1 : 0;
  }

  #allocateLarge(sizeBytes: number): number {
    this.usedBytes += sizeBytes;
    if (this.#page < 0) this.#nextPage();
    assert(this.pages.length < pagesMax, "The ids, values or lists of one type take more than 32 GB.");
    const page = this.#freePages.pop() ?? this.pages.add(0);
    this.pages.resize(page, sizeBytes);
    return (page << pageShift) >>> 0;
  }
}

function roundUp(sizeBytes: number): number {
  return Math.ceil(sizeBytes / arenaPageBytes) * arenaPageBytes;
}
