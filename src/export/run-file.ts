// Sorted records in a temporary file, written once and read once from begin to end. Synchronous: it is used by a process that does nothing else.
import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { RdgError } from "../core/errors.ts";

/** Keys compare with `<`; each of their characters is one byte. */
export interface SortRecord {
  readonly key: string;
  readonly line: string;
  /** When the element expires; Infinity: never. */
  readonly overAtMs: number;
}

/** Before each record: bytes of the key and of the line, and when it is over. */
const headBytes = 16;
const writeBufferBytes = 1024 * 1024;
const readBufferBytes = 256 * 1024;

/** @throws RdgError unavailable, `temporary_file_failed` */
export function writeRun(path: string, records: Iterable<SortRecord>): void {
  const file = guarded(path, () => openSync(path, "wx", 0o600));
  try {
    let buffer = Buffer.allocUnsafe(writeBufferBytes);
    let at = 0;
    const flush = (): void => {
      for (let done = 0; done < at;) done += guarded(path, () => writeSync(file, buffer, done, at - done));
      at = 0;
    };
    for (const { key, line, overAtMs } of records) {
      const lineBytes = Buffer.byteLength(line);
      const needed = headBytes + key.length + lineBytes;
      if (at + needed > buffer.length) flush();
      if (needed > buffer.length) buffer = Buffer.allocUnsafe(needed);
      buffer.writeUInt32LE(key.length, at);
      buffer.writeUInt32LE(lineBytes, at + 4);
      buffer.writeDoubleLE(overAtMs, at + 8);
      buffer.write(key, at + headBytes, "latin1");
      buffer.write(line, at + headBytes + key.length, "utf8");
      at += needed;
    }
    flush();
  } finally {
    closeSync(file);
  }
}

export class RunReader {
  readonly #path: string;
  readonly #file: number;
  #buffer = Buffer.allocUnsafe(readBufferBytes);
  #at = 0;
  #end = 0;
  /** The record at hand; undefined at the end. */
  record: SortRecord | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#file = guarded(path, () => openSync(path, "r"));
    this.next();
  }

  next(): void {
    this.record = undefined;
    if (!this.#fill(headBytes)) return;
    const keyBytes = this.#buffer.readUInt32LE(this.#at);
    const lineBytes = this.#buffer.readUInt32LE(this.#at + 4);
    const overAtMs = this.#buffer.readDoubleLE(this.#at + 8);
    this.#fill(headBytes + keyBytes + lineBytes);
    const start = this.#at + headBytes;
    const key = this.#buffer.toString("latin1", start, start + keyBytes);
    this.#at = start + keyBytes + lineBytes;
    this.record = { key, line: this.#buffer.toString("utf8", start + keyBytes, this.#at), overAtMs };
  }

  /** Closes the file and removes it. */
  close(): void {
    closeSync(this.#file);
    rmSync(this.#path, { force: true });
  }

  /** Whether so many bytes are at hand now. */
  #fill(needed: number): boolean {
    if (this.#end - this.#at >= needed) return true;
    const target = needed > this.#buffer.length ? Buffer.allocUnsafe(needed) : this.#buffer;
    this.#buffer.copy(target, 0, this.#at, this.#end);
    this.#end -= this.#at;
    this.#at = 0;
    this.#buffer = target;
    while (this.#end < needed) {
      const read = guarded(this.#path, () =>
        readSync(this.#file, this.#buffer, this.#end, this.#buffer.length - this.#end, null),
      );
      if (read === 0 && this.#end === 0) return false;
      if (read === 0) throw failed(this.#path, "it ends within a record");
      this.#end += read;
    }
    return true;
  }
}

/** @throws RdgError unavailable, `temporary_file_failed` */
export function guarded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw failed(path, (error as Error).message, error);
  }
}

function failed(path: string, why: string, cause?: unknown): RdgError {
  return new RdgError("unavailable", "temporary_file_failed", `A temporary file failed: ${why}.`, {
    place: path,
    hint: "It takes about as much room as the export itself; --temp names another folder.",
    cause,
  });
}
