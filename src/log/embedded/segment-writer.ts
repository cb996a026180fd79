// The files of one stream: appends groups of frames to the last, begins a new one when it is full, and mends it after a failure. Hot path.
import type { Random } from "../../core/random.ts";
import { type File, type FileSystem, writeWhole } from "./file-system.ts";
import { FrameScanner } from "./frame-scanner.ts";
import { damaged, encodeControlFrame, frameKind, sealFrame, segmentHeaderBytes } from "./segment-format.ts";
import { SegmentContent, writeIndex } from "./segment-index.ts";
import { createSegment, indexPath, type Segment, segmentPath, segmentStart, type StreamIdentity } from "./segment.ts";
import type { EmbeddedLogSettings } from "./settings.ts";
import type { OutgoingFrame } from "./stream-content.ts";

export interface SegmentWriterParts {
  readonly fileSystem: FileSystem;
  readonly settings: EmbeddedLogSettings;
  readonly random: Random;
}

export class SegmentWriter {
  /** In order; the last is the one being written. */
  segments: readonly Segment[];
  framesWritten = 0;
  bytesWritten = 0;
  syncs = 0;
  readonly #parts: SegmentWriterParts;
  readonly #identity: StreamIdentity;
  #file: File | undefined;
  #sealing: Promise<void> = Promise.resolve();

  constructor(parts: SegmentWriterParts, identity: StreamIdentity, segments: readonly Segment[]) {
    this.#parts = parts;
    this.#identity = identity;
    this.segments = segments;
  }

  get current(): Segment {
    return this.segments.at(-1)!;
  }

  async open(): Promise<File> {
    return (this.#file ??= await this.#parts.fileSystem.open(this.current.path, "write"));
  }

  /** Writes a group behind what is durable; returns its bytes. It counts when it is synced, too. */
  async write<Frame>(file: File, group: readonly OutgoingFrame<Frame>[], durable: number): Promise<number> {
    const { salt } = this.current.header;
    const buffers: Uint8Array[] = [];
    for (const { buffers: frame } of group) {
      sealFrame(frame, durable, salt);
      buffers.push(frame.head, ...frame.rest);
    }
    return await writeWhole(file, buffers, this.current.bytes);
  }

  /** The group is durable. */
  written<Frame>(group: readonly OutgoingFrame<Frame>[], bytes: number): void {
    const segment = this.current;
    let position = segment.bytes;
    for (const { first, next, timestampMs, row, buffers } of group) {
      segment.content.add({ offset: first, next, timestampMs, position, row });
      position += buffers.length;
    }
    segment.bytes += bytes;
    this.framesWritten += group.length;
    this.bytesWritten += bytes;
    this.syncs++;
  }

  /** After a failure, at once: so that a crash finds as little as possible of what was rejected. `repair` makes sure. */
  async cutBack(): Promise<void> {
    await this.#file?.truncate(this.current.bytes).catch(() => undefined);
  }

  /** Cuts the file back to what is durable and, when that is in doubt (`suspect`), reads it again. */
  async repair(suspect: boolean): Promise<void> {
    const { path, bytes } = this.current;
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
    const file = await this.#parts.fileSystem.open(path, "write");
    try {
      await file.truncate(bytes);
      await file.sync();
      if (suspect) await this.#verify(file);
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    this.#file = file;
  }

  /** Begins a new segment at `base`. */
  async roll(base: number, snapshot: unknown): Promise<void> {
    const { fileSystem, random } = this.#parts;
    const { kind, partition, folder } = this.#identity;
    const closing = this.current;
    const createdMs = closing.content.lastMs;
    const header = { kind, partition, base, createdMs, coversTo: 0, salt: random.below(2 ** 32) };
    // As it will be read again: plain data that nobody changes.
    const state: unknown = JSON.parse(JSON.stringify(snapshot));
    const start = segmentStart(this.#identity, header, state);
    const path = segmentPath(folder, base);
    const file = await createSegment(fileSystem, folder, path, start);
    const old = this.#file;
    this.#file = file;
    const content = new SegmentContent(base, createdMs);
    this.segments = [...this.segments, { path, header, bytes: start.length, state, content }];
    this.#sealing = this.#sealing.then(() => this.#seal(closing, old));
  }

  /** With `durable`, marks the end of what was written in order. */
  async close(durable: number | undefined): Promise<void> {
    await this.#sealing;
    const file = this.#file;
    if (file === undefined) return;
    if (durable !== undefined) {
      // Everything is durable without the mark; where it cannot be written, the next start treats this stop as a crash.
      await this.#writeClosed(file, durable).catch(() => this.cutBack());
    }
    this.#file = undefined;
    await file.close();
  }

  async #verify(file: File): Promise<void> {
    const { path, bytes, header } = this.current;
    const { readChunkBytes: chunkBytes } = this.#parts.settings;
    const scanner = new FrameScanner(file, { salt: header.salt, from: segmentHeaderBytes, end: bytes, chunkBytes });
    let found = await scanner.next();
    while (found === "frame") found = await scanner.next();
    if (found === "damaged") throw damaged(path, scanner.position, scanner.reason);
  }

  /** Writes the index of a closed segment; without one it would be made at the next start. */
  async #seal(segment: Segment, file: File | undefined): Promise<void> {
    await file?.close().catch(() => undefined);
    const index = segment.content.encode(segment.bytes);
    await writeIndex(this.#parts.fileSystem, indexPath(segment.path), index).then(
      () => segment.content.forgetDetail(),
      () => undefined,
    );
  }

  async #writeClosed(file: File, durable: number): Promise<void> {
    const frame = encodeControlFrame({
      kind: frameKind.closed,
      offset: durable,
      timestampMs: this.current.content.lastMs,
      body: Buffer.alloc(0),
    });
    sealFrame(frame, durable, this.current.header.salt);
    await writeWhole(file, [frame.head], this.current.bytes);
    await file.sync();
  }
}
