// What a stream's frames mean: the part that differs between record partitions and the journal, and how a frame travels from there to the file.
import type { RdgError } from "../../core/errors.ts";
import type { FrameBuffers } from "./segment-format.ts";

export interface StreamContent<Frame> {
  /** What must be known at the start of a new segment, as JSON; counts what lies below `durable` only. */
  snapshot(durable: number): unknown;
  restore(state: unknown): void;
  /** Recovery: a frame of the last segment, in order. */
  replay(bytes: Buffer, at: number): void;
  /** Recovery: rows of closed segments, oldest first. */
  recall(rows: Buffer): void;
  /** What the index keeps of a frame. */
  row(bytes: Buffer, at: number): Uint8Array | undefined;
  /** The offset behind a frame. */
  next(bytes: Buffer, at: number): number;
  decode(bytes: Buffer, at: number): Frame;
  /** Nothing at or behind this offset became durable. */
  rollBack(durable: number): void;
}

export interface OutgoingFrame<Frame> {
  readonly buffers: FrameBuffers;
  readonly first: number;
  readonly next: number;
  readonly timestampMs: number;
  readonly row: Uint8Array | undefined;
  readonly frame: Frame;
  /** Called once, when durable or failed, before anything becomes visible. */
  settled?(durable: boolean): void;
  /** Called when it is certain, also after a crash, whether the frame is in the log: it is durable, or its bytes have been cut off beyond doubt. */
  decided?(): void;
  resolve(): void;
  reject(error: RdgError): void;
}
