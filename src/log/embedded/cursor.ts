// A reader's place in one stream: from memory while it keeps up, from files in chunks when it does not. Hot path: no object per frame but the frame.
//
// A cursor whose place retention has removed goes on at the first kept record. It keeps the file that it reads open, so compaction does not disturb it.
import { fileFailed } from "./failures.ts";
import type { File } from "./file-system.ts";
import { FrameScanner } from "./frame-scanner.ts";
import { damaged, field, frameKind } from "./segment-format.ts";
import type { Segment } from "./segment.ts";
import type { Stream } from "./stream.ts";

export class Cursor<Frame> {
  readonly stream: Stream<Frame>;
  #position: number;
  #file: File | undefined;
  #segment: Segment | undefined;
  #scanner: FrameScanner | undefined;

  constructor(stream: Stream<Frame>, from: number) {
    this.stream = stream;
    this.#position = from;
    stream.cursors.add(this);
  }

  /** The next offset wanted. */
  get position(): number {
    return Math.max(this.#position, this.stream.firstOffset);
  }

  get caughtUp(): boolean {
    return this.position >= this.stream.visible;
  }

  /** Reading files, not memory. */
  get cold(): boolean {
    return this.#file !== undefined;
  }

  /** The frame that holds `position`, or the next behind it, from memory; undefined when it is not there. */
  take(): Frame | undefined {
    const entry = this.stream.tail.find(this.position);
    if (entry === undefined) return undefined;
    this.#position = entry.next;
    return entry.frame;
  }

  /** The same from files; undefined when nothing visible is left. */
  async read(): Promise<Frame | undefined> {
    try {
      return await this.#read();
    } catch (error) {
      throw fileFailed(error, "read a file", this.#segment?.path ?? this.stream.identity.folder);
    }
  }

  async #read(): Promise<Frame | undefined> {
    while (!this.caughtUp) {
      const scanner = this.#scanner ?? (await this.#open());
      if (scanner === undefined) continue;
      scanner.extend(this.#segment!.bytes);
      const found = scanner.step();
      if (found === "more") await scanner.fill();
      else if (found === "damaged") throw damaged(this.#segment!.path, scanner.position, scanner.reason);
      else if (found === "end") await this.#leave();
      else {
        const frame = await this.#frame(scanner);
        if (frame !== undefined) return frame;
      }
    }
    return undefined;
  }

  /** The reader is done. */
  async end(): Promise<void> {
    this.stream.cursors.delete(this);
    await this.close();
  }

  /** Lets go of the file. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = this.#scanner = this.#segment = undefined;
    await file?.close();
  }

  async #frame(scanner: FrameScanner): Promise<Frame | undefined> {
    const { bytes, at } = scanner;
    const kind = bytes[at + field.kind];
    if (kind === frameKind.state || kind === frameKind.closed) return undefined;
    const next = this.stream.content.next(bytes, at);
    if (next <= this.position) return undefined;
    if (bytes.readDoubleLE(at + field.firstOffset) >= this.stream.visible) {
      // Durable, but held back from readers for now: it is found again later.
      await this.close();
      this.#position = this.stream.visible;
      return undefined;
    }
    this.#position = next;
    return this.stream.content.decode(bytes, at);
  }

  async #open(): Promise<FrameScanner | undefined> {
    const { stream } = this;
    const segment = stream.segments.find((segment) => segment.content.next > this.position) ?? stream.current;
    try {
      this.#file = await stream.fileSystem.open(segment.path, "read");
    } catch (error) {
      // Removed by retention in this very moment: look again from the first kept segment.
      if ((error as NodeJS.ErrnoException).code === "ENOENT" && !stream.segments.includes(segment)) return undefined;
      throw error;
    }
    this.#segment = segment;
    const from = await stream.positionOf(segment, this.position);
    this.#scanner = new FrameScanner(this.#file, {
      salt: segment.header.salt,
      from,
      end: segment.bytes,
      chunkBytes: stream.settings.readChunkBytes,
    });
    return this.#scanner;
  }

  /** At the end of a file: on to the next one, unless this is the one being written. */
  async #leave(): Promise<void> {
    const segment = this.#segment!;
    if (segment === this.stream.current) return;
    this.#position = Math.max(this.position, segment.content.next);
    await this.close();
  }
}
