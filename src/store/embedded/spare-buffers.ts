// Buffers that a checkpoint has written and no one reads any more, kept for the copies of the next one: the garbage collector would give their memory back late,
// and the system would have to give it out anew, zeroed page by page. Only so many: pages have many sizes, and what is spare in one is missing in another.
import { giveBack } from "../../core/give-back.ts";

const sizeBytesMax = 8e6;

interface Spare {
  readonly buffers: ArrayBuffer[];
  /** The fewest there were since the last `trim`. */
  least: number;
}

export class SpareBuffers {
  readonly #bySize = new Map<number, Spare>();
  sizeBytes = 0;

  /** A buffer of this size, whose content is undefined, where there is one. */
  take(sizeBytes: number): ArrayBuffer | undefined {
    const spare = this.#bySize.get(sizeBytes);
    const buffer = spare?.buffers.pop();
    if (spare === undefined || buffer === undefined) return undefined;
    spare.least = Math.min(spare.least, spare.buffers.length);
    this.sizeBytes -= sizeBytes;
    return buffer;
  }

  /** Keeps a buffer that nothing refers to, or gives its memory back. */
  give(buffer: ArrayBuffer): void {
    if (this.sizeBytes + buffer.byteLength > sizeBytesMax) return giveBack(new Uint8Array(buffer));
    const spare = this.#bySize.get(buffer.byteLength);
    if (spare === undefined) this.#bySize.set(buffer.byteLength, { buffers: [buffer], least: 0 });
    else spare.buffers.push(buffer);
    this.sizeBytes += buffer.byteLength;
  }

  /** Gives up what was not needed since the last time, so that no more is kept than one checkpoint takes. */
  trim(): void {
    for (const [sizeBytes, spare] of this.#bySize) {
      this.sizeBytes -= spare.least * sizeBytes;
      spare.buffers.splice(0, spare.least);
      spare.least = spare.buffers.length;
      if (spare.least === 0) this.#bySize.delete(sizeBytes);
    }
  }
}
