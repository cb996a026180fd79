// The store's memory: lists of buffers that are written copy-on-write while a checkpoint reads them. Hot path.
//
// A checkpoint captures the buffers of a list as they are and raises the epoch. Until it has written a page and released it, whoever is about to
// change that page calls `touch`, which leaves the captured buffer to the checkpoint and goes on with a copy: one comparison per touched page otherwise.
import { giveBack } from "../../core/give-back.ts";
import { SpareBuffers } from "./spare-buffers.ts";

/** What all pages of one store share. */
export class Epoch {
  /** Raised when a checkpoint begins. */
  current = 0;
  /** Bytes of captured buffers that were replaced by copies and that the checkpoint still holds. */
  copiedBytes = 0;
  readonly spare = new SpareBuffers();

  /** A checkpoint has captured all pages. */
  begin(): void {
    this.current++;
    this.spare.trim();
  }
}

export class PageList {
  /** Three views of each page. Do not keep them across a call of `touch`, `resize`, `renew` or an `await`: they may be without memory afterwards. */
  readonly words: Uint32Array[] = [];
  readonly doubles: Float64Array[] = [];
  readonly bytes: Buffer[] = [];
  sizeBytes = 0;
  readonly #epoch: Epoch;
  /** The epoch in which a page was last made safe to write; an older one means that a checkpoint still reads the buffer. */
  readonly #stamps: number[] = [];

  constructor(epoch: Epoch) {
    this.#epoch = epoch;
  }

  get length(): number {
    return this.words.length;
  }

  /** Appends a zeroed page and returns its number. */
  add(sizeBytes: number): number {
    const spare = this.#epoch.spare.take(sizeBytes);
    if (spare !== undefined) new Uint8Array(spare).fill(0);
    return this.adopt(spare ?? new ArrayBuffer(sizeBytes));
  }

  /** Appends a buffer as a page. */
  adopt(buffer: ArrayBuffer): number {
    const page = this.words.length;
    this.#set(page, buffer);
    return page;
  }

  /** Call before changing a page. */
  touch(page: number): void {
    if (this.#stamps[page] !== this.#epoch.current) this.#own(page);
  }

  /** Replaces a page by a larger (or smaller) one that begins with the same bytes. */
  resize(page: number, sizeBytes: number): void {
    const grown = new ArrayBuffer(sizeBytes);
    const old = this.bytes[page]!;
    const isCaptured = this.#isCaptured(page);
    new Uint8Array(grown).set(old.length > sizeBytes ? old.subarray(0, sizeBytes) : old);
    this.#set(page, grown);
    if (!isCaptured) giveBack(old);
  }

  /** Replaces a page by a zeroed one, which `fill` fills from the words of the old. */
  renew(page: number, sizeBytes: number, fill: (old: Uint32Array) => void): void {
    const old = this.words[page]!;
    const isCaptured = this.#isCaptured(page);
    this.#set(page, new ArrayBuffer(sizeBytes));
    fill(old);
    if (!isCaptured) giveBack(new Uint8Array(old.buffer));
  }

  /** The buffers as they are now, for a checkpoint that raises the epoch in the same turn. */
  capture(): ArrayBuffer[] {
    return this.words.map((words) => words.buffer as ArrayBuffer);
  }

  /** The checkpoint no longer reads the captured buffer of this page. */
  release(page: number, captured: ArrayBuffer): void {
    if (this.words[page]!.buffer === captured) this.#stamps[page] = this.#epoch.current;
    else {
      this.#epoch.copiedBytes -= captured.byteLength;
      this.#epoch.spare.give(captured);
    }
  }

  /** Whether a checkpoint still reads the page's buffer. */
  #isCaptured(page: number): boolean {
    return this.#stamps[page] !== this.#epoch.current;
  }

  #own(page: number): void {
    const captured = this.bytes[page]!;
    const copy = this.#epoch.spare.take(captured.length) ?? unzeroed(captured.length);
    new Uint8Array(copy).set(captured);
    this.#set(page, copy);
  }

  #set(page: number, buffer: ArrayBuffer): void {
    const replaced = this.words[page];
    if (replaced !== undefined) {
      this.sizeBytes -= replaced.byteLength;
      if (this.#isCaptured(page)) this.#epoch.copiedBytes += replaced.byteLength;
    }
    this.sizeBytes += buffer.byteLength;
    this.words[page] = new Uint32Array(buffer);
    this.doubles[page] = new Float64Array(buffer);
    this.bytes[page] = Buffer.from(buffer);
    this.#stamps[page] = this.#epoch.current;
  }
}

/** Memory that is written whole at once. */
function unzeroed(sizeBytes: number): ArrayBuffer {
  return Buffer.allocUnsafeSlow(sizeBytes).buffer;
}
