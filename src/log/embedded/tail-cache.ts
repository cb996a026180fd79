// The frames published last, in memory, for readers that keep up: the writer's own buffers, nothing is read back. Hot path.
interface Entry<Frame> {
  readonly first: number;
  /** The offset behind the frame. */
  readonly next: number;
  readonly bytes: number;
  readonly frame: Frame;
}

export class TailCache<Frame> {
  readonly #bytesMax: number;
  #bytes = 0;
  #entries: (Entry<Frame> | undefined)[] = [];
  /** Entries before this index have been dropped; the array is cut when they are half of it. */
  #start = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(first: number, next: number, bytes: number, frame: Frame): void {
    this.#entries.push({ first, next, bytes, frame });
    this.#bytes += bytes;
    while (this.#bytes > this.#bytesMax) this.#dropFirst();
    this.#shrink();
  }

  /** What lies before the offset is no longer part of the log, or has changed. */
  dropBefore(offset: number): void {
    while (this.#start < this.#entries.length && this.#entries[this.#start]!.first < offset) this.#dropFirst();
    this.#shrink();
  }

  #dropFirst(): void {
    this.#bytes -= this.#entries[this.#start]!.bytes;
    this.#entries[this.#start++] = undefined;
  }

  #shrink(): void {
    if (2 * this.#start > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
  }

  /** The entry that holds the offset, or the first one behind it when none lies between; undefined when that was never here or is gone. */
  find(offset: number): Entry<Frame> | undefined {
    const entries = this.#entries;
    if (this.#start === entries.length || offset < entries[this.#start]!.first) return undefined;
    let low = this.#start;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (entries[middle]!.next <= offset) low = middle + 1;
      else high = middle;
    }
    return entries[low];
  }
}
