// A disk in memory that forgets like a real one: what was not synced may be lost, in part and out of order, when the power fails. Every call can be made to fail.
//
// A process works on the disk through `process()`. After `kill` (SIGKILL: what was written stays) or `powerLoss` its calls never return.
import { RdgError } from "../../src/core/errors.ts";
import type { Random } from "../../src/core/random.ts";
import type { File, FileSystem, FolderLock } from "../../src/log/embedded/file-system.ts";

const sectorBytes = 512;

type Change =
  | { readonly kind: "write"; readonly position: number; readonly bytes: Buffer }
  | { readonly kind: "truncate"; readonly length: number };

class Inode {
  content: Buffer = Buffer.alloc(0);
  durable: Buffer = Buffer.alloc(0);
  changes: Change[] = [];

  apply(change: Change): void {
    this.content = changed(this.content, change);
    this.changes.push(change);
  }

  sync(): void {
    this.durable = this.content;
    this.changes = [];
  }

  /** Any part of what was not synced may have reached the disk, sector by sector. */
  losePower(random: Random): void {
    let { durable } = this;
    for (const change of this.changes) {
      if (change.kind === "truncate") {
        if (random.below(2) === 0) durable = changed(durable, change);
        continue;
      }
      if (random.below(3) === 0) continue;
      let at = change.position;
      const end = at + change.bytes.length;
      while (at < end) {
        const next = Math.min(end, at - (at % sectorBytes) + sectorBytes);
        const bytes = change.bytes.subarray(at - change.position, next - change.position);
        // A sector that was not written reads as zeros where the file has grown.
        if (random.below(4) > 0) durable = changed(durable, { kind: "write", position: at, bytes });
        else if (next > durable.length && random.below(2) === 0)
          durable = changed(durable, { kind: "truncate", length: next });
        at = next;
      }
    }
    this.content = this.durable = durable;
    this.changes = [];
  }
}

function changed(content: Buffer, change: Change): Buffer {
  const length =
    change.kind === "truncate" ? change.length : Math.max(content.length, change.position + change.bytes.length);
  const next = Buffer.alloc(length);
  content.copy(next, 0, 0, Math.min(length, content.length));
  if (change.kind === "write") change.bytes.copy(next, change.position);
  return next;
}

class Folder {
  names = new Map<string, Inode>();
  durable = new Map<string, Inode>();
  /** What the names were after each change since the last sync. */
  history: Map<string, Inode>[] = [];

  change(names: Map<string, Inode>): void {
    this.names = names;
    this.history.push(names);
  }

  sync(): void {
    this.durable = this.names;
    this.history = [];
  }

  losePower(random: Random): void {
    const kept = random.below(this.history.length + 1);
    this.names = this.durable = kept === 0 ? this.durable : this.history[kept - 1]!;
    this.history = [];
  }
}

export interface Operation {
  readonly name:
    | "open"
    | "list"
    | "makeFolder"
    | "rename"
    | "remove"
    | "syncFolder"
    | "write"
    | "read"
    | "sync"
    | "truncate"
    | "size";
  readonly path: string;
}

/** What becomes of a call: an error, or for `write` how many bytes are written before the next call fails. */
export type Fault = { readonly error: string; readonly writtenBytes?: number } | { readonly writtenBytes: number };

export class SimulatedDisk {
  readonly #random: Random;
  readonly folders = new Map<string, Folder>();
  readonly locks = new Map<string, number>();
  processes = 0;
  /** Decides about each call; undefined lets it pass. */
  fault: ((operation: Operation) => Fault | undefined) | undefined;
  /** Calls until the running process is killed; undefined never. */
  callsUntilKill: number | undefined;
  calls = 0;
  #killed: (() => void) | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  get random(): Random {
    return this.#random;
  }

  process(): FileSystem {
    this.processes++;
    return new Process(this, this.processes);
  }

  /** Resolves when `callsUntilKill` has killed the process. */
  killed(): Promise<void> {
    return new Promise((resolve) => {
      this.#killed = resolve;
    });
  }

  kill(): void {
    this.processes++;
    this.locks.clear();
    this.callsUntilKill = undefined;
    this.#killed?.();
  }

  powerLoss(): void {
    this.kill();
    for (const folder of this.folders.values()) {
      const inodes = new Set([
        ...folder.names.values(),
        ...folder.durable.values(),
        ...folder.history.flatMap((names) => [...names.values()]),
      ]);
      folder.losePower(this.#random);
      for (const inode of inodes) inode.losePower(this.#random);
    }
  }

  folder(path: string): Folder {
    const found = this.folders.get(path);
    if (found === undefined) throw systemError("ENOENT", path);
    return found;
  }

  /** Paths of all files. */
  paths(): string[] {
    return [...this.folders].flatMap(([path, { names }]) => [...names.keys()].map((name) => `${path}/${name}`)).sort();
  }

  contentOf(path: string): Buffer {
    return this.inode(path).content;
  }

  /** Changes a file behind everybody's back, durably. */
  overwrite(path: string, bytes: Uint8Array): void {
    const inode = this.inode(path);
    inode.content = Buffer.from(bytes);
    inode.sync();
  }

  /** Puts a file there, durably, with its folder. */
  place(path: string, bytes: Uint8Array): void {
    const [folder, name] = split(path);
    if (!this.folders.has(folder)) this.folders.set(folder, new Folder());
    this.folder(folder).change(new Map(this.folder(folder).names).set(name, new Inode()));
    this.folder(folder).sync();
    this.overwrite(path, bytes);
  }

  inode(path: string): Inode {
    const [folder, name] = split(path);
    const inode = this.folder(folder).names.get(name);
    if (inode === undefined) throw systemError("ENOENT", path);
    return inode;
  }
}

class Process implements FileSystem {
  readonly #disk: SimulatedDisk;
  readonly #number: number;

  constructor(disk: SimulatedDisk, number: number) {
    this.#disk = disk;
    this.#number = number;
  }

  /** One call: dead processes get no answer. `torn` is what a write has done when the process is killed in it. */
  async call<T>(operation: Operation, run: () => T, write?: (bytesMax: number) => number): Promise<T> {
    const disk = this.#disk;
    await Promise.resolve();
    if (this.#number !== disk.processes) return await new Promise<T>(() => undefined);
    disk.calls++;
    if (disk.callsUntilKill !== undefined && --disk.callsUntilKill < 0) {
      write?.(disk.random.below(10_000));
      disk.kill();
      return await new Promise<T>(() => undefined);
    }
    const fault = disk.fault?.(operation);
    if (fault?.writtenBytes !== undefined) {
      const written = write?.(fault.writtenBytes) ?? 0;
      if (!("error" in fault)) return written as T;
    }
    if (fault !== undefined && "error" in fault) throw systemError(fault.error, operation.path);
    return run();
  }

  open(path: string, mode: "read" | "write" | "create"): Promise<File> {
    return this.call({ name: "open", path }, () => {
      const [folder, name] = split(path);
      const { names } = this.#disk.folder(folder);
      let inode = names.get(name);
      if (mode === "create") {
        if (inode !== undefined) throw systemError("EEXIST", path);
        inode = new Inode();
        this.#disk.folder(folder).change(new Map(names).set(name, inode));
      }
      if (inode === undefined) throw systemError("ENOENT", path);
      return new SimulatedFile(this, path, inode);
    });
  }

  list(folder: string): Promise<readonly string[]> {
    return this.call({ name: "list", path: folder }, () => {
      const files = [...(this.#disk.folders.get(folder)?.names.keys() ?? [])];
      const prefix = `${folder}/`;
      const inside = [...this.#disk.folders.keys()].filter((path) => path.startsWith(prefix));
      return [...files, ...new Set(inside.map((path) => path.slice(prefix.length).split("/")[0]!))];
    });
  }

  makeFolder(folder: string): Promise<void> {
    return this.call({ name: "makeFolder", path: folder }, () => {
      if (!this.#disk.folders.has(folder)) this.#disk.folders.set(folder, new Folder());
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.call({ name: "rename", path: to }, () => {
      const [folder, name] = split(from);
      const [toFolder, toName] = split(to);
      if (folder !== toFolder) throw new Error("a rename between folders is not simulated");
      const names = new Map(this.#disk.folder(folder).names);
      names.set(toName, this.#disk.inode(from));
      names.delete(name);
      this.#disk.folder(folder).change(names);
    });
  }

  remove(path: string): Promise<void> {
    return this.call({ name: "remove", path }, () => {
      const [folder, name] = split(path);
      const names = new Map(this.#disk.folder(folder).names);
      if (!names.delete(name)) throw systemError("ENOENT", path);
      this.#disk.folder(folder).change(names);
    });
  }

  syncFolder(folder: string): Promise<void> {
    return this.call({ name: "syncFolder", path: folder }, () => this.#disk.folders.get(folder)?.sync());
  }

  async lock(folder: string): Promise<FolderLock> {
    if (this.#disk.locks.has(folder)) throw new RdgError("conflict", "log_locked", "The log is in use.");
    this.#disk.locks.set(folder, this.#number);
    return {
      release: async () => {
        if (this.#disk.locks.get(folder) === this.#number) this.#disk.locks.delete(folder);
      },
    };
  }
}

class SimulatedFile implements File {
  readonly path: string;
  readonly #process: Process;
  readonly #inode: Inode;

  constructor(process: Process, path: string, inode: Inode) {
    this.path = path;
    this.#process = process;
    this.#inode = inode;
  }

  write(buffers: readonly Uint8Array[], position: number): Promise<number> {
    const write = (bytesMax: number): number => {
      const bytes = Buffer.concat(buffers).subarray(0, bytesMax);
      if (bytes.length > 0) this.#inode.apply({ kind: "write", position, bytes });
      return bytes.length;
    };
    return this.#process.call({ name: "write", path: this.path }, () => write(Infinity), write);
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#process.call({ name: "read", path: this.path }, () => {
      const bytes = this.#inode.content.subarray(position, position + target.length);
      target.set(bytes);
      return bytes.length;
    });
  }

  sync(): Promise<void> {
    return this.#process.call({ name: "sync", path: this.path }, () => this.#inode.sync());
  }

  truncate(length: number): Promise<void> {
    return this.#process.call({ name: "truncate", path: this.path }, () =>
      this.#inode.apply({ kind: "truncate", length }),
    );
  }

  size(): Promise<number> {
    return this.#process.call({ name: "size", path: this.path }, () => this.#inode.content.length);
  }

  async close(): Promise<void> {
    // Nothing to do: a closed file is not used again.
  }
}

function split(path: string): [folder: string, name: string] {
  const at = path.lastIndexOf("/");
  return [path.slice(0, at), path.slice(at + 1)];
}

function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: simulated, ${path}`), { code });
}
