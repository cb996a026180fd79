// One segment file of a stream, as the running log knows it, and how a new one comes to be.
import { type File, type FileSystem, removeIfThere, writeWhole } from "./file-system.ts";
import {
  encodeControlFrame,
  encodeSegmentHeader,
  frameKind,
  sealFrame,
  segmentHeaderBytes,
  type SegmentHeader,
} from "./segment-format.ts";
import type { SegmentContent } from "./segment-index.ts";

export interface Segment {
  readonly path: string;
  readonly header: SegmentHeader;
  /** Durable bytes, the header included. */
  bytes: number;
  /** What the stream knew when the file began: the body of its state frame. */
  readonly state: unknown;
  readonly content: SegmentContent;
}

export interface StreamIdentity {
  readonly folder: string;
  readonly name: string;
  readonly kind: number;
  readonly partition: number;
}

export const segmentSuffix = ".segment";

/** Compaction writes a file's successor under the next generation's name; the first has none. */
export function segmentPath(folder: string, base: number, generation = 0): string {
  const suffix = generation === 0 ? "" : `-${generation}`;
  return `${folder}/${base.toString().padStart(16, "0")}${suffix}${segmentSuffix}`;
}

export function indexPath(segment: string): string {
  return `${segment.slice(0, -segmentSuffix.length)}.index`;
}

/** Header and state frame of a new segment. */
export function segmentStart(stream: StreamIdentity, header: SegmentHeader, state: unknown): Buffer {
  const frame = encodeControlFrame({
    kind: frameKind.state,
    offset: header.base,
    timestampMs: header.createdMs,
    body: Buffer.from(JSON.stringify(state)),
  });
  sealFrame(frame, header.base, header.salt);
  return Buffer.concat([encodeSegmentHeader(header, stream.name), frame.head], segmentHeaderBytes + frame.length);
}

/** Creates a segment; once it has its name it is complete and durable, so a damaged header is always damage, never a crash. */
export async function createSegment(
  fileSystem: FileSystem,
  folder: string,
  path: string,
  start: Buffer,
): Promise<File> {
  const temporary = `${path}.new`;
  await removeIfThere(fileSystem, temporary);
  const file = await fileSystem.open(temporary, "create");
  try {
    await writeWhole(file, [start], 0);
    await file.sync();
    await fileSystem.rename(temporary, path);
    await fileSystem.syncFolder(folder);
    return file;
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}
