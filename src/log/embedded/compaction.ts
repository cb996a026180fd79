// Compaction of a partition: closed segments are rewritten without the versions that nobody can ask for any more.
//
// What counts is the version of each key that was current at the horizon (now less the retention): earlier ones go, it and all later ones stay; when it
// is a removal it goes too, unless a reader is on its way through the files and may have read the key's value already.
// A group of segments becomes one new file under a name of its own, complete and durable before it has that name; then the old ones are removed. A crash
// leaves old files beside the new one, whose header says which offsets it stands for: recovery removes them.
import { RdgError } from "../../core/errors.ts";
import type { RecordFrame } from "../port.ts";
import { type File, writeWhole } from "./file-system.ts";
import { FrameScanner } from "./frame-scanner.ts";
import { type Columns, decodeRecordFrame, encodeRecordFrame } from "./record-frame.ts";
import { removeSegment } from "./recovery.ts";
import {
  damaged,
  field,
  type FrameBuffers,
  frameFlag,
  frameKind,
  sealFrame,
  segmentHeaderBytes,
} from "./segment-format.ts";
import { readIndex, SegmentContent, writeIndex } from "./segment-index.ts";
import { indexPath, type Segment, segmentPath, segmentStart } from "./segment.ts";
import { idempotencyHorizonMs } from "./settings.ts";
import type { Stream } from "./stream.ts";

const writeBytes = 1024 * 1024;

export async function compactPartition(
  stream: Stream<RecordFrame>,
  horizonMs: number,
  nowMs: number,
  salt: () => number,
): Promise<void> {
  const candidates: Segment[] = [];
  for (const segment of stream.segments.slice(0, -1)) {
    if ((segment.content.firstMs ?? -Infinity) > horizonMs || (await keepsKeys(stream, segment, nowMs))) break;
    candidates.push(segment);
  }
  if (candidates.length === 0) return;
  const current = await currentAt(stream, horizonMs);
  for (const group of grouped(candidates, stream.settings.segmentBytes)) {
    const keepRemovals = stream.readersUnderWay();
    const lastOffset = stream.current.header.base - 1;
    await compactGroup(stream, group, { horizonMs, current, keepRemovals, lastOffset }, salt());
  }
}

/** Frames of the last hour that carry idempotency keys stay as they are: recovery reads the keys from them. */
async function keepsKeys(stream: Stream<RecordFrame>, segment: Segment, nowMs: number): Promise<boolean> {
  if (segment.content.lastMs < nowMs - idempotencyHorizonMs) return false;
  const index = await readIndex(stream.fileSystem, indexPath(segment.path), segment.header.base, segment.bytes);
  return index === undefined || index.rows().length > 0;
}

/** Neighbours that fit into one file together. */
function grouped(segments: readonly Segment[], bytesMax: number): Segment[][] {
  const groups: Segment[][] = [];
  let bytes = Infinity;
  for (const segment of segments) {
    if (bytes + segment.bytes > bytesMax) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)!.push(segment);
    bytes += segment.bytes;
  }
  return groups;
}

/** Calls for every frame of records of a segment until `visit` returns false. */
async function scan(
  stream: Stream<RecordFrame>,
  segment: Segment,
  visit: (bytes: Buffer, at: number) => boolean | Promise<boolean>,
): Promise<boolean> {
  const file = await stream.fileSystem.open(segment.path, "read");
  try {
    const scanner = new FrameScanner(file, {
      salt: segment.header.salt,
      from: segmentHeaderBytes,
      end: segment.bytes,
      chunkBytes: stream.settings.readChunkBytes,
    });
    for (;;) {
      const found = await scanner.next();
      if (found === "end") return true;
      if (found === "damaged") throw damaged(segment.path, scanner.position, scanner.reason);
      const { bytes, at } = scanner;
      if (bytes[at + field.kind] === frameKind.records && !(await visit(bytes, at))) return false;
    }
  } finally {
    await file.close();
  }
}

/** By key, the offset of the version that was current at the horizon. */
async function currentAt(stream: Stream<RecordFrame>, horizonMs: number): Promise<Map<string, number>> {
  const current = new Map<string, number>();
  const { compactionKeysMax } = stream.settings;
  for (const segment of stream.segments) {
    const goOn = await scan(stream, segment, (bytes, at) => {
      if (bytes.readDoubleLE(at + field.timestampMs) > horizonMs) return false;
      const columns = decodeRecordFrame(bytes, at);
      const first = bytes.readDoubleLE(at + field.firstOffset);
      for (let i = 0; i < columns.count; i++) current.set(keyAt(columns, i), first + (columns.offsets?.[i] ?? i));
      if (current.size > compactionKeysMax) throw tooManyKeys(stream, compactionKeysMax);
      return true;
    });
    if (!goOn) break;
  }
  return current;
}

function keyAt({ keys }: Columns, i: number): string {
  const { bytes, starts } = keys!;
  return (bytes as Buffer).toString("latin1", starts[i], starts[i + 1]);
}

interface Rule {
  readonly horizonMs: number;
  readonly current: ReadonlyMap<string, number>;
  readonly keepRemovals: boolean;
  /** The last record of the closed segments always stays, so that who reads a partition to its end finds a record there. */
  readonly lastOffset: number;
}

/** Indexes of the records of a frame that stay; undefined when all do. */
function kept(columns: Columns, first: number, timestampMs: number, rule: Rule): number[] | undefined {
  if (timestampMs > rule.horizonMs) return undefined;
  const indexes: number[] = [];
  for (let i = 0; i < columns.count; i++) {
    const offset = first + (columns.offsets?.[i] ?? i);
    const isCurrent = rule.current.get(keyAt(columns, i)) === offset;
    const isRemoval = columns.nulls?.[i] === 1;
    if (offset === rule.lastOffset || (isCurrent && (!isRemoval || rule.keepRemovals))) indexes.push(i);
  }
  return indexes.length === columns.count ? undefined : indexes;
}

async function compactGroup(
  stream: Stream<RecordFrame>,
  group: readonly Segment[],
  rule: Rule,
  salt: number,
): Promise<void> {
  let drops = false;
  for (const segment of group) {
    await scan(stream, segment, (bytes, at) => {
      const first = bytes.readDoubleLE(at + field.firstOffset);
      drops ||=
        kept(decodeRecordFrame(bytes, at), first, bytes.readDoubleLE(at + field.timestampMs), rule) !== undefined;
      return !drops;
    });
  }
  // Small neighbours are joined even when nothing is dropped, or their number would grow for ever.
  if (!drops && group.length === 1) return;
  const replacement = await rewrite(stream, group, rule, salt);
  const index = stream.segments.indexOf(group[0]!);
  stream.replaceRange(index, group.length, replacement);
  for (const segment of group) await removeSegment(stream.fileSystem, stream.identity.folder, segment.path);
}

async function rewrite(
  stream: Stream<RecordFrame>,
  group: readonly Segment[],
  rule: Rule,
  salt: number,
): Promise<Segment> {
  const { fileSystem, identity } = stream;
  const first = group[0]!;
  const last = group.at(-1)!;
  const header = { ...first.header, createdMs: last.content.lastMs, coversTo: last.content.next, salt };
  const path = segmentPath(identity.folder, header.base, generationOf(first.path) + 1);
  const start = segmentStart(identity, header, first.state);
  const content = new SegmentContent(header.base, header.createdMs);
  const segment: Segment = { path, header, bytes: start.length, state: first.state, content };
  const file = await fileSystem.open(`${path}.new`, "create");
  try {
    await writeWhole(file, [start], 0);
    const writer = new GroupWriter(file, segment);
    for (const source of group) {
      await scan(stream, source, async (bytes, at) => {
        await writer.add(bytes, at, rule);
        return true;
      });
    }
    await writer.flush();
    await file.sync();
  } finally {
    await file.close();
  }
  await fileSystem.rename(`${path}.new`, path);
  await fileSystem.syncFolder(identity.folder);
  content.next = header.coversTo;
  content.lastMs = header.createdMs;
  await writeIndex(fileSystem, indexPath(path), content.encode(segment.bytes));
  content.forgetDetail();
  return segment;
}

class GroupWriter {
  readonly #file: File;
  readonly #segment: Segment;
  #buffers: Uint8Array[] = [];
  #bytes = 0;

  constructor(file: File, segment: Segment) {
    this.#file = file;
    this.#segment = segment;
  }

  async add(bytes: Buffer, at: number, rule: Rule): Promise<void> {
    const columns = decodeRecordFrame(bytes, at);
    const first = bytes.readDoubleLE(at + field.firstOffset);
    const timestampMs = bytes.readDoubleLE(at + field.timestampMs);
    const indexes = kept(columns, first, timestampMs, rule);
    if (indexes?.length === 0) return;
    const chosen = indexes === undefined ? columns : choose(columns, indexes);
    const shift = chosen.offsets?.[0] ?? 0;
    const offsets = shift === 0 ? chosen.offsets : chosen.offsets!.map((offset) => offset - shift);
    const identity = {
      firstOffset: first + shift,
      timestampMs,
      producer: bytes.readUInt32LE(at + field.producer),
      epoch: bytes.readUInt32LE(at + field.epoch),
    };
    const hasSequence = (bytes[at + field.flags]! & frameFlag.sequence) !== 0;
    const sequence = hasSequence ? bytes.readDoubleLE(at + field.sequence) : undefined;
    const frame = encodeRecordFrame(identity, { ...chosen, offsets }, sequence, undefined);
    const end = identity.firstOffset + (offsets === undefined ? chosen.count : offsets[chosen.count - 1]! + 1);
    await this.#write(frame, identity.firstOffset, end, timestampMs);
  }

  async flush(): Promise<void> {
    const { content } = this.#segment;
    await writeWhole(this.#file, this.#buffers, this.#segment.bytes - this.#bytes);
    this.#buffers = [];
    this.#bytes = 0;
    content.next = Math.max(content.next, this.#segment.header.base);
  }

  async #write(frame: FrameBuffers, offset: number, next: number, timestampMs: number): Promise<void> {
    // Everything in a finished file is durable.
    sealFrame(frame, this.#segment.header.coversTo, this.#segment.header.salt);
    this.#segment.content.add({ offset, next, timestampMs, position: this.#segment.bytes, row: undefined });
    this.#buffers.push(frame.head, ...frame.rest);
    this.#bytes += frame.length;
    this.#segment.bytes += frame.length;
    if (this.#bytes >= writeBytes) await this.flush();
  }
}

function choose(columns: Columns, indexes: readonly number[]): Columns {
  const column = ({ bytes, starts }: Columns["values"]): Columns["values"] => {
    const chosen = new Uint32Array(indexes.length + 1);
    const parts = indexes.map((i) => bytes.subarray(starts[i], starts[i + 1]));
    parts.forEach((part, i) => {
      chosen[i + 1] = chosen[i]! + part.length;
    });
    return { bytes: Buffer.concat(parts), starts: chosen };
  };
  return {
    count: indexes.length,
    values: column(columns.values),
    keys: columns.keys && column(columns.keys),
    nulls: columns.nulls && Uint8Array.from(indexes, (i) => columns.nulls![i]!),
    offsets: Uint32Array.from(indexes, (i) => columns.offsets?.[i] ?? i),
  };
}

function generationOf(path: string): number {
  return Number(/-(\d+)\.segment$/.exec(path)?.[1] ?? 0);
}

function tooManyKeys(stream: Stream<RecordFrame>, max: number): RdgError {
  const place = `${stream.identity.name}/${stream.identity.partition}`;
  return new RdgError(
    "overloaded",
    "compaction_keys_full",
    `${place} has more than ${max} keys and was not compacted.`,
    {
      place,
      hint: "Raise `compactionKeysMax`, or give the topic more partitions.",
    },
  );
}
