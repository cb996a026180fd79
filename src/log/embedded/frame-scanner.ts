import type { File } from "./file-system.ts";
// Walks the frames of a segment file in chunks, checking each one's checksum: for readers of files, recovery and compaction. Hot path: no object per frame.
//
// Every chunk is a buffer of its own, because frames handed to readers are views of it.
import { frameHeaderBytes, isIntact, plausibleFrameLength } from "./segment-format.ts";

export interface ScanRange {
  readonly salt: number;
  /** File position of a frame. */
  readonly from: number;
  readonly end: number;
  readonly chunkBytes: number;
}

export class FrameScanner {
  /** The frame found last: `bytes[at, at + length)`, at `position` in the file. */
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  length = 0;
  position: number;
  /** Why `next` found "damaged" at `position`. */
  reason = "";
  readonly #file: File;
  readonly #salt: number;
  readonly #chunkBytes: number;
  #end: number;
  #chunkPosition: number;
  #nextPosition: number;
  #short = false;

  constructor(file: File, range: ScanRange) {
    this.#file = file;
    this.#salt = range.salt;
    this.#chunkBytes = range.chunkBytes;
    this.#end = range.end;
    this.position = range.from;
    this.#chunkPosition = range.from;
    this.#nextPosition = range.from;
  }

  /** The file has grown. */
  extend(end: number): void {
    this.#end = end;
  }

  /** Finds the next frame in the chunk at hand; "more" when it has to be read. */
  step(): "frame" | "end" | "damaged" | "more" {
    const position = this.#nextPosition;
    this.position = position;
    if (position === this.#end) return "end";
    const at = position - this.#chunkPosition;
    const left = this.bytes.length - at;
    if (this.#short && left <= 0) return this.#broken("the file is shorter than it was");
    if (left < frameHeaderBytes)
      return this.#short || this.#end - position < frameHeaderBytes ? this.#broken("it ends within a frame") : "more";
    const length = plausibleFrameLength(this.bytes, at);
    if (length === 0) return this.#broken("no frame begins there");
    if (length > this.#end - position) return this.#broken("the frame that begins there is longer than the file");
    if (length > left) return this.#short ? this.#broken("the file is shorter than it was") : "more";
    if (!isIntact(this.bytes, at, length, this.#salt)) return this.#broken("the checksum of the frame does not match");
    this.at = at;
    this.length = length;
    this.#nextPosition = position + length;
    return "frame";
  }

  async next(): Promise<"frame" | "end" | "damaged"> {
    for (;;) {
      const found = this.step();
      if (found !== "more") return found;
      await this.fill();
    }
  }

  /** Reads from the frame that `step` could not finish: a chunk, or the whole frame where that is larger. */
  async fill(): Promise<void> {
    const at = this.#nextPosition - this.#chunkPosition;
    const known = this.bytes.length - at >= frameHeaderBytes ? plausibleFrameLength(this.bytes, at) : 0;
    const wanted = Math.min(Math.max(this.#chunkBytes, known), this.#end - this.#nextPosition);
    const chunk = Buffer.allocUnsafeSlow(wanted);
    const count = await this.#file.read(chunk, this.#nextPosition);
    this.bytes = count === wanted ? chunk : chunk.subarray(0, count);
    this.#chunkPosition = this.#nextPosition;
    this.#short = count < wanted;
  }

  #broken(reason: string): "damaged" {
    this.reason = reason;
    return "damaged";
  }
}
