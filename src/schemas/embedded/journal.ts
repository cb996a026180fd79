// The registry's file: an append-only list of entries, each durable before it counts; read whole when opened, rewritten when most of it is history.
//
// File: "RDGSCHEM" | format u32 BE | frames. Frame: length u32 BE of the payload | crc32 u32 BE of the payload | payload: JSON array of entries, UTF-8.
// One frame is written and synced at a time, so a crash can damage the last frame only: damage with no intact frame behind it is cut off, damage
// with one behind it is refused.
import { type FileHandle, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { RdgError } from "../../core/errors.ts";

const magic = Buffer.from("RDGSCHEM", "latin1");
const format = 1;
const headerBytes = magic.length + 4;
const frameHeaderBytes = 8;
const framePayloadBytesMax = 8 * 1024 * 1024;
/** All of it is held in memory, twice over. */
const fileBytesMax = 64 * 1024 * 1024;

export interface Journal<Entry> {
  /**
   * Resolves when durable. One call at a time. What failed is not stored; when it is unknown what of it reached the disk, the file takes nothing more until
   * it is opened again.
   */
  append(entries: readonly Entry[]): Promise<void>;
  /** Replaces the whole content, atomically. */
  rewrite(entries: readonly Entry[]): Promise<void>;
  readonly sizeBytes: number;
  close(): Promise<void>;
}

export async function openJournal<Entry>(
  path: string,
): Promise<{ journal: Journal<Entry>; entries: readonly Entry[] }> {
  const folder = dirname(path);
  // A new folder is durable when the one above is synced.
  if ((await mkdir(folder, { recursive: true })) !== undefined) await syncFolder(dirname(folder));
  await rm(`${path}.new`, { force: true });
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  const journal = new FileJournal<Entry>(path);
  if (bytes === undefined || bytes.length < headerBytes) {
    if (bytes !== undefined && !fileHeader().subarray(0, bytes.length).equals(bytes)) throw unknownFormat(path, bytes);
    await journal.rewrite([]);
    return { journal, entries: [] };
  }
  const { entries, end } = readFrames<Entry>(path, bytes);
  await journal.open(end);
  return { journal, entries };
}

function readFrames<Entry>(path: string, bytes: Buffer): { entries: Entry[]; end: number } {
  if (!bytes.subarray(0, headerBytes).equals(fileHeader())) throw unknownFormat(path, bytes);
  const entries: Entry[] = [];
  let at = headerBytes;
  while (at < bytes.length) {
    const end = frameEnd(bytes, at);
    if (end === undefined) {
      if (hasFrameAfter(bytes, at)) throw damaged(path, at);
      break;
    }
    for (const entry of JSON.parse(bytes.toString("utf8", at + frameHeaderBytes, end)) as Entry[]) entries.push(entry);
    at = end;
  }
  return { entries, end: at };
}

/** Where the frame at `at` ends, or undefined when no intact frame is there. */
function frameEnd(bytes: Buffer, at: number): number | undefined {
  if (at + frameHeaderBytes > bytes.length) return undefined;
  const end = at + frameHeaderBytes + bytes.readUInt32BE(at);
  // A payload is at least "[]".
  if (end - at < frameHeaderBytes + 2 || end > bytes.length || end - at > frameHeaderBytes + framePayloadBytesMax)
    return undefined;
  return crc32(bytes.subarray(at + frameHeaderBytes, end)) === bytes.readUInt32BE(at + 4) ? end : undefined;
}

/** Looks for a frame at every byte: payloads begin with "[", which spares nearly all checksums. */
function hasFrameAfter(bytes: Buffer, at: number): boolean {
  for (let start = at + 1; start + frameHeaderBytes < bytes.length; start++) {
    if (bytes[start + frameHeaderBytes] === 0x5b && frameEnd(bytes, start) !== undefined) return true;
  }
  return false;
}

function fileHeader(): Buffer {
  const header = Buffer.alloc(headerBytes);
  magic.copy(header);
  header.writeUInt32BE(format, magic.length);
  return header;
}

function encodeFrame(entries: readonly unknown[]): Buffer {
  const payload = Buffer.from(JSON.stringify(entries));
  if (payload.length > framePayloadBytesMax)
    throw new RdgError("internal", "assertion_failed", "A registry entry is too large.");
  const frame = Buffer.alloc(frameHeaderBytes + payload.length);
  frame.writeUInt32BE(payload.length, 0);
  frame.writeUInt32BE(crc32(payload), 4);
  payload.copy(frame, frameHeaderBytes);
  return frame;
}

class FileJournal<Entry> implements Journal<Entry> {
  sizeBytes = 0;
  readonly #path: string;
  #file: FileHandle | undefined;
  #failure: unknown;

  constructor(path: string) {
    this.#path = path;
  }

  async open(end: number): Promise<void> {
    this.#file = await open(this.#path, "r+");
    await this.#file.truncate(end);
    await this.#file.sync();
    this.sizeBytes = end;
  }

  async append(entries: readonly Entry[]): Promise<void> {
    if (this.#failure !== undefined) throw unavailable(this.#path, this.#failure);
    if (this.#file === undefined) throw new RdgError("closed", "registry_closed", "The schema registry is closed.");
    const frame = encodeFrame(entries);
    if (this.sizeBytes + frame.length > fileBytesMax) {
      throw new RdgError(
        "overloaded",
        "registry_full",
        `The schema registry's file has reached ${fileBytesMax} bytes.`,
        {
          place: this.#path,
          hint: "Delete subjects that are no longer used, permanently, then restart.",
        },
      );
    }
    try {
      await writeWhole(this.#file, frame, this.sizeBytes);
    } catch (error) {
      await this.#cutBack(this.#file);
      throw unavailable(this.#path, error);
    }
    try {
      await this.#file.datasync();
    } catch (error) {
      // What of the frame reached the disk is unknown: only reading the file again can tell.
      this.#failure = error;
      throw unavailable(this.#path, error);
    }
    this.sizeBytes += frame.length;
  }

  /** A write failed, for want of space mostly: without what it left, the file goes on when there is room. */
  async #cutBack(file: FileHandle): Promise<void> {
    try {
      await file.truncate(this.sizeBytes);
      await file.datasync();
    } catch (error) {
      this.#failure = error;
    }
  }

  async rewrite(entries: readonly Entry[]): Promise<void> {
    const path = `${this.#path}.new`;
    const file = await open(path, "w");
    let size = headerBytes;
    try {
      await writeWhole(file, fileHeader(), 0);
      for (const entry of entries) {
        const frame = encodeFrame([entry]);
        await writeWhole(file, frame, size);
        size += frame.length;
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(path, this.#path);
    await this.close();
    await syncFolder(dirname(this.#path));
    await this.open(size);
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** A write may write less than it was given, most often just before the disk is full. */
async function writeWhole(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

function unavailable(path: string, cause: unknown): RdgError {
  return new RdgError(
    "unavailable",
    "registry_file_failed",
    `The schema registry could not write its file: ${(cause as Error).message}.`,
    {
      place: path,
      hint: "Free disk space, then try again; if it goes on failing, repair the disk and restart: the registry goes on from what is in the file.",
      cause,
    },
  );
}

function unknownFormat(path: string, bytes: Buffer): RdgError {
  const known = bytes.length >= headerBytes && bytes.subarray(0, magic.length).equals(magic);
  const what = known
    ? `has format ${bytes.readUInt32BE(magic.length)}, this version reads format ${format}`
    : "is no schema registry file";
  return new RdgError("corrupt", known ? "registry_format_unknown" : "registry_damaged", `The file ${what}.`, {
    place: path,
    hint: known
      ? "Open it with the version of RDG that wrote it."
      : "Restore the file from a backup, or remove it to start with an empty registry.",
  });
}

function damaged(path: string, at: number): RdgError {
  return new RdgError("corrupt", "registry_damaged", "The schema registry's file is damaged in the middle.", {
    place: `${path} at byte ${at}`,
    hint: "Restore the file from a backup: records refer to the ids that it holds.",
  });
}
