import { RdgError } from "../../core/errors.ts";
// Opening a stream's folder: every segment is accounted for, a torn tail is cut, and anything that may be damage is refused with file and byte.
//
// Only the last segment can have a torn tail, because a new one is begun when everything in the one before is durable. A bad frame in it is
//  - damage, when an intact frame behind it says (`synced`) that the bad one's offset had been durable before that frame was written; that is so for
//    every write but the last before a crash, and for all of them after a clean stop;
//  - damage, too, when a job's committed transaction stands on records that the file does not hold (any more): they were durable before they were read;
//  - a torn tail otherwise: part of the last write, whose sync is not known to have finished. What is cut is first kept as `<segment>.cut-<byte>` and
//    listed in the log's statistics, because a disk that damages exactly the last write after it was synced cannot be told from a torn write.
import { type File, type FileSystem, removeIfThere, replaceFile } from "./file-system.ts";
import { FrameScanner } from "./frame-scanner.ts";
import {
  damaged,
  decodeSegmentHeader,
  field,
  frameHeaderBytes,
  frameKind,
  isIntact,
  plausibleFrameLength,
  segmentHeaderBytes,
} from "./segment-format.ts";
import { readIndex, SegmentContent, writeIndex } from "./segment-index.ts";
import { indexPath, type Segment, segmentPath, segmentSuffix, type StreamIdentity } from "./segment.ts";
import { type EmbeddedLogSettings, idempotencyHorizonMs } from "./settings.ts";
import type { StreamContent } from "./stream-content.ts";

/** The end of a file that was cut off at start, because a crash had torn it. */
export interface Cut {
  readonly path: string;
  readonly position: number;
  readonly bytes: number;
  readonly savedAs: string;
}

export interface Recovery {
  readonly fileSystem: FileSystem;
  readonly settings: EmbeddedLogSettings;
  /** Bytes of closed segments that are still to be checked in full; shared by the streams of a log. */
  readonly verify: { bytes: number };
  readonly cuts: Cut[];
}

/** @param provenNext offset below which everything is known to have been stored */
export async function recoverSegments<Frame>(
  recovery: Recovery,
  stream: StreamIdentity,
  content: StreamContent<Frame>,
  provenNext: number,
): Promise<Segment[]> {
  const { fileSystem } = recovery;
  const segments: Segment[] = [];
  const names = await tidyNames(fileSystem, stream.folder);
  for (const { base, generation } of names) {
    const path = segmentPath(stream.folder, base, generation);
    const previous = segments.at(-1);
    if (previous !== undefined && (base === previous.header.base || base < previous.header.coversTo)) {
      // A crash came between the making of a compacted segment and the removal of those it stands for.
      await removeSegment(fileSystem, stream.folder, path);
      continue;
    }
    segments.push(await openSegment(recovery, stream, path, base));
  }
  const last = segments.at(-1);
  if (last === undefined) {
    throw new RdgError("corrupt", "segments_missing", `The log has no segment of ${stream.name}/${stream.partition}.`, {
      place: stream.folder,
      hint: "Restore the log folder from a copy.",
    });
  }
  for (let i = segments.length - 2; i >= 0; i--) segments[i] = await closedSegment(recovery, segments[i]!, content);
  for (let i = 1; i < segments.length; i++) checkContiguous(segments[i - 1]!, segments[i]!);
  const newestMs = last.content.lastMs;
  for (const segment of segments) {
    if (segment === last) continue;
    if (segment.content.lastMs >= newestMs - idempotencyHorizonMs) content.recall(segment.content.rows());
    segment.content.forgetDetail();
  }
  content.restore(last.state);
  await readLast(recovery, last, content, provenNext);
  await fileSystem.syncFolder(stream.folder);
  return segments;
}

export async function removeSegment(fileSystem: FileSystem, folder: string, path: string): Promise<void> {
  await removeIfThere(fileSystem, path);
  // Durable before the next one goes: files must vanish from the front only.
  await fileSystem.syncFolder(folder);
  await removeIfThere(fileSystem, indexPath(path));
  const name = path.slice(folder.length + 1);
  for (const other of await fileSystem.list(folder)) {
    if (other.startsWith(`${name}.cut-`)) await removeIfThere(fileSystem, `${folder}/${other}`);
  }
}

interface SegmentName {
  readonly base: number;
  readonly generation: number;
}

/** Removes what crashes left half made; yields the segments by first offset, the latest generation of one first. */
async function tidyNames(fileSystem: FileSystem, folder: string): Promise<SegmentName[]> {
  const names = await fileSystem.list(folder);
  const segments: SegmentName[] = [];
  for (const name of names) {
    const segment = /^(\d{16})(?:-(\d{1,9}))?\.segment$/.exec(name);
    if (segment !== null) segments.push({ base: Number(segment[1]), generation: Number(segment[2] ?? 0) });
    const orphan = name.endsWith(".index") && !names.includes(`${name.slice(0, -".index".length)}${segmentSuffix}`);
    if (orphan || name.endsWith(".new")) await fileSystem.remove(`${folder}/${name}`);
  }
  return segments.sort((a, b) => a.base - b.base || b.generation - a.generation);
}

async function openSegment(
  { fileSystem, settings }: Recovery,
  stream: StreamIdentity,
  path: string,
  base: number,
): Promise<Segment> {
  const file = await fileSystem.open(path, "read");
  try {
    const bytes = await file.size();
    const start = Buffer.alloc(Math.min(segmentHeaderBytes, bytes));
    await file.read(start, 0);
    const header = decodeSegmentHeader(start, path, { ...stream, base });
    const scanner = new FrameScanner(file, {
      salt: header.salt,
      from: segmentHeaderBytes,
      end: bytes,
      chunkBytes: Math.min(settings.readChunkBytes, 65_536),
    });
    const found = await scanner.next();
    if (found !== "frame" || scanner.bytes[scanner.at + field.kind] !== frameKind.state) {
      throw damaged(path, segmentHeaderBytes, found === "damaged" ? scanner.reason : "its first frame is missing");
    }
    const bodyAt = scanner.at + frameHeaderBytes;
    const bodyBytes = scanner.bytes.readUInt32LE(scanner.at + field.valueBytes);
    const state = JSON.parse(scanner.bytes.toString("utf8", bodyAt, bodyAt + bodyBytes)) as unknown;
    return { path, header, bytes, state, content: new SegmentContent(base, header.createdMs) };
  } finally {
    await file.close();
  }
}

/** The content of a closed segment: from its index, or by reading it while the budget for that lasts or the index does not. */
async function closedSegment<Frame>(
  recovery: Recovery,
  segment: Segment,
  content: StreamContent<Frame>,
): Promise<Segment> {
  const { fileSystem, verify } = recovery;
  const path = indexPath(segment.path);
  const known = await readIndex(fileSystem, path, segment.header.base, segment.bytes);
  if (known !== undefined && segment.bytes > verify.bytes) return { ...segment, content: known };
  verify.bytes -= segment.bytes;
  const file = await fileSystem.open(segment.path, "read");
  try {
    const end = await readFrames(recovery, file, segment, content, undefined);
    if (end !== undefined) throw damaged(segment.path, end.position, end.reason);
  } finally {
    await file.close();
  }
  if (segment.header.coversTo > 0) segment.content.next = segment.header.coversTo;
  if (known === undefined) await writeIndex(fileSystem, path, segment.content.encode(segment.bytes));
  return segment;
}

function checkContiguous(before: Segment, segment: Segment): void {
  if (before.content.next === segment.header.base) return;
  throw new RdgError(
    "corrupt",
    "segments_missing",
    `The log ends at offset ${before.content.next} in one file and goes on at ${segment.header.base} in the next.`,
    {
      place: `${before.path}:${before.bytes}`,
      hint: "A file between them is missing or was cut. Restore the log folder from a copy.",
    },
  );
}

/** Reads all frames into the segment's content; returns where they break off, if they do. */
async function readFrames<Frame>(
  { settings }: Recovery,
  file: File,
  segment: Segment,
  content: StreamContent<Frame>,
  replay: ((bytes: Buffer, at: number) => void) | undefined,
): Promise<{ position: number; reason: string } | undefined> {
  const scanner = new FrameScanner(file, {
    salt: segment.header.salt,
    from: segmentHeaderBytes,
    end: segment.bytes,
    chunkBytes: settings.readChunkBytes,
  });
  for (;;) {
    const found = await scanner.next();
    if (found === "end") return undefined;
    if (found === "damaged") return { position: scanner.position, reason: scanner.reason };
    const { bytes, at, position } = scanner;
    const kind = bytes[at + field.kind];
    if (kind === frameKind.state || kind === frameKind.closed) continue;
    const offset = bytes.readDoubleLE(at + field.firstOffset);
    const expected = segment.content.next;
    if (segment.header.coversTo > 0 ? offset < expected : offset !== expected) {
      throw damaged(segment.path, position, `offset ${offset} stands where ${expected} should`);
    }
    replay?.(bytes, at);
    segment.content.add({
      offset,
      next: content.next(bytes, at),
      timestampMs: bytes.readDoubleLE(at + field.timestampMs),
      position,
      row: content.row(bytes, at),
    });
  }
}

async function readLast<Frame>(
  recovery: Recovery,
  segment: Segment,
  content: StreamContent<Frame>,
  provenNext: number,
): Promise<void> {
  const file = await recovery.fileSystem.open(segment.path, "write");
  try {
    const end = await readFrames(recovery, file, segment, content, (bytes, at) => content.replay(bytes, at));
    if (segment.header.coversTo > segment.content.next) segment.content.next = segment.header.coversTo;
    const { next } = segment.content;
    if (next < provenNext) {
      const proof = `jobs have processed the records up to offset ${provenNext - 1}, and the file ends before offset ${next}`;
      throw damaged(segment.path, end?.position ?? segment.bytes, proof);
    }
    if (end !== undefined) await cutTail(recovery, file, segment, end);
    // What a killed process wrote may be in the system's cache only; from here on it counts as stored.
    else await file.sync();
  } finally {
    await file.close();
  }
}

async function cutTail(
  recovery: Recovery,
  file: File,
  segment: Segment,
  end: { position: number; reason: string },
): Promise<void> {
  const { path, content, header } = segment;
  const rest = Buffer.alloc(segment.bytes - end.position);
  await file.read(rest, end.position);
  const proof = laterProof(rest, header.salt, content.next);
  if (proof !== undefined) {
    const where = end.position + proof;
    throw damaged(
      path,
      end.position,
      `${end.reason}, although the frame at byte ${where} proves that it had been stored`,
    );
  }
  const folder = path.slice(0, path.lastIndexOf("/"));
  const savedAs = `${path}.cut-${end.position}`;
  await replaceFile(recovery.fileSystem, folder, savedAs.slice(folder.length + 1), rest);
  await file.truncate(end.position);
  await file.sync();
  segment.bytes = end.position;
  recovery.cuts.push({ path, position: end.position, bytes: rest.length, savedAs });
}

/** Where in `rest` an intact frame says that `offset` was durable when it was written. */
function laterProof(rest: Buffer, salt: number, offset: number): number | undefined {
  for (let at = 8; at + frameHeaderBytes <= rest.length; at += 8) {
    const length = plausibleFrameLength(rest, at);
    if (length === 0 || at + length > rest.length || !(rest.readDoubleLE(at + field.synced) > offset)) continue;
    if (isIntact(rest, at, length, salt)) return at;
  }
  return undefined;
}
