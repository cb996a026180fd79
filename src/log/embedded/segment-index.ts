// What is kept beside a closed segment file (`<base>.index`): where offsets are, and rows that the stream wants back at start without reading the segment.
//
// It is derived: when it is missing, damaged or of another format it is made again from the segment. File: "RDGINDEX" | format u32 | crc32 u32 of the
// rest | segment bytes f64 | next offset f64 | first and last timestamp f64 | frames f64 | marks u32 | row bytes u32 | marks (offset f64, position f64)* | rows
import { crc32 } from "node:zlib";
import { readWhole, removeIfThere, writeWhole, type FileSystem } from "./file-system.ts";

const magic = Buffer.from("RDGINDEX", "latin1");
const indexFormat = 1;
const fixed = 64;
/** A mark about every so many bytes of the segment. */
const markEveryBytes = 65_536;

/** What is known of a segment's content; grows while the segment is written. */
export class SegmentContent {
  next: number;
  frames = 0;
  firstMs: number | undefined;
  lastMs: number;
  readonly #offsets: number[] = [];
  readonly #positions: number[] = [];
  #rows: Buffer = Buffer.alloc(0);
  #rowBytes = 0;

  constructor(base: number, createdMs: number) {
    this.next = base;
    this.lastMs = createdMs;
  }

  /** Notes a frame of records or a transaction. */
  add(frame: {
    offset: number;
    next: number;
    timestampMs: number;
    position: number;
    row: Uint8Array | undefined;
  }): void {
    if (this.frames === 0 || frame.position - this.#positions.at(-1)! >= markEveryBytes) {
      this.#offsets.push(frame.offset);
      this.#positions.push(frame.position);
    }
    this.frames++;
    this.next = frame.next;
    this.firstMs ??= frame.timestampMs;
    this.lastMs = frame.timestampMs;
    if (frame.row !== undefined) this.#addRow(frame.row);
  }

  /** The last known position of a frame that begins at or before the offset. */
  positionOf(offset: number): number | undefined {
    let low = 0;
    let high = this.#offsets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#offsets[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? this.#positions[0] : this.#positions[low - 1];
  }

  rows(): Buffer {
    return this.#rows.subarray(0, this.#rowBytes);
  }

  #addRow(row: Uint8Array): void {
    const end = this.#rowBytes + row.length;
    if (end > this.#rows.length) {
      const larger = Buffer.alloc(Math.max(256, end, 2 * this.#rows.length));
      this.#rows.copy(larger, 0, 0, this.#rowBytes);
      this.#rows = larger;
    }
    this.#rows.set(row, this.#rowBytes);
    this.#rowBytes = end;
  }

  /** The segment is closed and its index written: from now on that is asked. */
  forgetDetail(): void {
    this.#offsets.length = 0;
    this.#positions.length = 0;
    this.#rows = Buffer.alloc(0);
    this.#rowBytes = 0;
  }

  encode(segmentBytes: number): Buffer {
    const rows = this.rows();
    const bytes = Buffer.alloc(fixed + 16 * this.#offsets.length + rows.length);
    magic.copy(bytes);
    bytes.writeUInt32LE(indexFormat, 8);
    [segmentBytes, this.next, this.firstMs ?? -1, this.lastMs, this.frames].forEach((value, i) =>
      bytes.writeDoubleLE(value, 16 + 8 * i),
    );
    bytes.writeUInt32LE(this.#offsets.length, 56);
    bytes.writeUInt32LE(rows.length, 60);
    this.#offsets.forEach((offset, i) => {
      bytes.writeDoubleLE(offset, fixed + 16 * i);
      bytes.writeDoubleLE(this.#positions[i]!, fixed + 16 * i + 8);
    });
    rows.copy(bytes, fixed + 16 * this.#offsets.length);
    bytes.writeUInt32LE(crc32(bytes.subarray(16)), 12);
    return bytes;
  }

  /** Undefined when the bytes are no intact index of a segment of this size. */
  static decode(bytes: Buffer, base: number, segmentBytes: number): SegmentContent | undefined {
    if (bytes.length < fixed || !bytes.subarray(0, 8).equals(magic) || bytes.readUInt32LE(8) !== indexFormat)
      return undefined;
    if (bytes.readUInt32LE(12) !== crc32(bytes.subarray(16)) || bytes.readDoubleLE(16) !== segmentBytes)
      return undefined;
    const marks = bytes.readUInt32LE(56);
    const rowsAt = fixed + 16 * marks;
    if (bytes.length !== rowsAt + bytes.readUInt32LE(60)) return undefined;
    const content = new SegmentContent(base, bytes.readDoubleLE(40));
    content.next = bytes.readDoubleLE(24);
    content.firstMs = bytes.readDoubleLE(32) < 0 ? undefined : bytes.readDoubleLE(32);
    content.frames = bytes.readDoubleLE(48);
    for (let i = 0; i < marks; i++) {
      content.#offsets.push(bytes.readDoubleLE(fixed + 16 * i));
      content.#positions.push(bytes.readDoubleLE(fixed + 16 * i + 8));
    }
    content.#rows = bytes.subarray(rowsAt);
    content.#rowBytes = content.#rows.length;
    return content;
  }
}

export async function readIndex(
  fileSystem: FileSystem,
  path: string,
  base: number,
  segmentBytes: number,
): Promise<SegmentContent | undefined> {
  const bytes = await readWhole(fileSystem, path);
  return bytes && SegmentContent.decode(bytes, base, segmentBytes);
}

/** Not synced: a crash may lose it or leave it damaged, and then it is made again. */
export async function writeIndex(fileSystem: FileSystem, path: string, bytes: Buffer): Promise<void> {
  const temporary = `${path}.new`;
  await removeIfThere(fileSystem, temporary);
  const file = await fileSystem.open(temporary, "create");
  try {
    await writeWhole(file, [bytes], 0);
  } finally {
    await file.close();
  }
  await fileSystem.rename(temporary, path);
}
