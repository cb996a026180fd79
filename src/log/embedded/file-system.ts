// What the log asks of a file system: a thin port over node:fs, so that tests can make every call fail, tear or vanish. Only asynchronous calls.
import fs from "node:fs";
import { lockFolder } from "./folder-lock.ts";

export interface FileSystem {
  /** `read` and `write` need the file to exist, `create` needs it not to. Files are private to their owner. */
  open(path: string, mode: "read" | "write" | "create"): Promise<File>;
  /** Names in a folder; none when it does not exist. */
  list(folder: string): Promise<readonly string[]>;
  /** With its parents; private to its owner. */
  makeFolder(folder: string): Promise<void>;
  /** Replaces `to` atomically. */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes what was created, renamed or removed in the folder durable. */
  syncFolder(folder: string): Promise<void>;
  /** Owns the folder until released or until the process ends, however it ends. Rejects with `conflict`, naming the owner. */
  lock(folder: string): Promise<FolderLock>;
}

export interface FolderLock {
  release(): Promise<void>;
}

export interface File {
  readonly path: string;
  /** Writes the buffers one behind the other; returns how many bytes were written, which may be less than there are. */
  write(buffers: readonly Uint8Array[], position: number): Promise<number>;
  /** Fills `target`; returns how many bytes there were. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Makes what was written durable (fdatasync). */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

export const nodeFileSystem: FileSystem = {
  open: (path, mode) =>
    call<number>((done) => fs.open(path, openFlags[mode], 0o600, done)).then((fd) => new NodeFile(path, fd)),
  list: (folder) =>
    call<string[]>((done) => fs.readdir(folder, done)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    }),
  makeFolder: (folder) =>
    call<unknown>((done) => fs.mkdir(folder, { recursive: true, mode: 0o700 }, done)).then(() => undefined),
  rename: (from, to) => call<void>((done) => fs.rename(from, to, done)),
  remove: (path) => call<void>((done) => fs.unlink(path, done)),
  async syncFolder(folder) {
    // Windows has no such call; its file systems journal the change themselves.
    if (process.platform === "win32") return;
    const fd = await call<number>((done) => fs.open(folder, "r", done));
    try {
      await call<void>((done) => fs.fsync(fd, done));
    } finally {
      await call<void>((done) => fs.close(fd, done));
    }
  },
  lock: lockFolder,
};

const openFlags = { read: "r", write: "r+", create: "wx+" } as const;

class NodeFile implements File {
  readonly path: string;
  readonly #fd: number;

  constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  write(buffers: readonly Uint8Array[], position: number): Promise<number> {
    return call((done) => fs.writev(this.#fd, buffers, position, done));
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let total = 0;
    while (total < target.length) {
      const at = total;
      const count = await call<number>((done) =>
        fs.read(this.#fd, target, at, target.length - at, position + at, done),
      );
      if (count === 0) break;
      total += count;
    }
    return total;
  }

  sync(): Promise<void> {
    return call((done) => fs.fdatasync(this.#fd, done));
  }

  truncate(length: number): Promise<void> {
    return call((done) => fs.ftruncate(this.#fd, length, done));
  }

  size(): Promise<number> {
    return call<fs.Stats>((done) => fs.fstat(this.#fd, done)).then((stats) => stats.size);
  }

  close(): Promise<void> {
    return call((done) => fs.close(this.#fd, done));
  }
}

type Done<T> = (error: NodeJS.ErrnoException | null, result?: T) => void;

function call<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, result) => (error ? reject(error) : resolve(result as T)));
  });
}

/** The whole of a small file, or undefined when it does not exist. */
export async function readWhole(fileSystem: FileSystem, path: string): Promise<Buffer | undefined> {
  let file: File;
  try {
    file = await fileSystem.open(path, "read");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const bytes = Buffer.alloc(await file.size());
    return bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}

/** Writes all bytes, going on after short writes; a write that gets nowhere is an error. */
export async function writeWhole(file: File, buffers: readonly Uint8Array[], position: number): Promise<number> {
  let rest = buffers;
  let at = position;
  for (;;) {
    let length = 0;
    for (const buffer of rest) length += buffer.length;
    if (length === 0) return at - position;
    const written = await file.write(rest, at);
    if (written <= 0) throw Object.assign(new Error(`nothing was written to ${file.path}`), { code: "EIO" });
    at += written;
    if (written === length) return at - position;
    rest = skip(rest, written);
  }
}

function skip(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let left = count;
  for (const buffer of buffers) {
    if (left >= buffer.length) left -= buffer.length;
    else {
      rest.push(left === 0 ? buffer : buffer.subarray(left));
      left = 0;
    }
  }
  return rest;
}

/** Replaces a small file such that a crash leaves the old or the new content, and it is durable when this resolves. */
export async function replaceFile(
  fileSystem: FileSystem,
  folder: string,
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  const path = `${folder}/${name}`;
  const temporary = `${path}.new`;
  await removeIfThere(fileSystem, temporary);
  const file = await fileSystem.open(temporary, "create");
  try {
    await writeWhole(file, [bytes], 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await fileSystem.rename(temporary, path);
  await fileSystem.syncFolder(folder);
}

export async function removeIfThere(fileSystem: FileSystem, path: string): Promise<void> {
  try {
    await fileSystem.remove(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
