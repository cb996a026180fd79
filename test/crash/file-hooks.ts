// Stands between the product and node:fs in a test's child process: tells a watcher of every change to files of one folder, before and after it, and lets it
// fail a change, tear a write or end the process. Install it before the product is imported.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { relative } from "node:path";

export interface FileOperation {
  readonly name: "create" | "write" | "sync" | "syncFolder" | "rename" | "link" | "remove" | "truncate";
  /** Relative to the folder. */
  readonly path: string;
  /** Of renames and links: the new name. */
  readonly to?: string;
  /** Of writes and truncations: where they begin to change the file, and where writes end. */
  readonly from?: number;
  readonly until?: number;
}

export interface FileWatcher {
  /** An error fails the operation, which then does not happen. `writePart` does the first half of a write. */
  before(operation: FileOperation, writePart?: () => void): Error | undefined;
  after(operation: FileOperation): void;
  /** Whether a write writes half of its bytes only and says so, as systems may. */
  isShort?(operation: FileOperation): boolean;
}

type Done = (error: NodeJS.ErrnoException | null, ...results: unknown[]) => void;
type Call = (...args: readonly unknown[]) => unknown;

/** node:fs as it is without the hooks. */
export const plainFs: typeof fs = { ...fs };
const plainPromises = { ...fs.promises };

/** Nothing is watched until `watch` is called. */
export class FileHooks {
  #folder: string | undefined;
  #watcher: FileWatcher | undefined;
  readonly #paths = new Map<number, { readonly path: string; readonly folder: boolean }>();

  install(): void {
    this.#hookCallbacks();
    this.#hookPromises();
    syncBuiltinESMExports();
  }

  watch(folder: string, watcher: FileWatcher): void {
    this.#folder = folder;
    this.#watcher = watcher;
  }

  #relative(path: unknown): string | undefined {
    if (this.#folder === undefined || typeof path !== "string") return undefined;
    const inside = relative(this.#folder, path);
    return inside.startsWith("..") ? undefined : inside;
  }

  /** Does `run` between the watcher's two calls; undefined operations are none of its business. */
  #callback(operation: FileOperation | undefined, writePart: (() => void) | undefined, done: Done, run: Call): void {
    const watcher = this.#watcher;
    if (operation === undefined || watcher === undefined) return void run(done);
    const error = watcher.before(operation, writePart);
    if (error !== undefined) return void setImmediate(() => done(error as NodeJS.ErrnoException));
    run((...results: Parameters<Done>) => {
      if (results[0] === null) watcher.after(operation);
      done(...results);
    });
  }

  async #promise<T>(
    operation: FileOperation | undefined,
    writePart: (() => void) | undefined,
    run: () => Promise<T>,
  ): Promise<T> {
    const watcher = this.#watcher;
    if (operation === undefined || watcher === undefined) return await run();
    const error = watcher.before(operation, writePart);
    if (error !== undefined) throw error;
    const result = await run();
    watcher.after(operation);
    return result;
  }

  /** A new name or a removal. */
  #named(name: FileOperation["name"], path: unknown, to?: unknown): FileOperation | undefined {
    const inside = this.#relative(path);
    if (inside === undefined) return undefined;
    const target = this.#relative(to);
    return target === undefined ? { name, path: inside } : { name, path: inside, to: target };
  }

  #synced({ path, folder }: { path: string; folder: boolean }): FileOperation | undefined {
    return this.#named(folder ? "syncFolder" : "sync", path);
  }

  /** Open files go on under their new name. */
  #renamed(from: string, to: string): void {
    for (const [fd, file] of this.#paths) if (file.path === from) this.#paths.set(fd, { ...file, path: to });
  }

  #hookCallbacks(): void {
    const { open, close, writev, fdatasync, fsync, ftruncate, rename, unlink } = plainFs as unknown as Record<
      string,
      Call
    >;
    const paths = this.#paths;
    const fileOf = (fd: unknown) => paths.get(fd as number);
    const hooked: Record<string, (...args: any[]) => void> = {
      open: (path: unknown, flags: string, ...rest: unknown[]) => {
        const done = rest.pop() as Done;
        const operation = flags.startsWith("w") ? this.#named("create", path) : undefined;
        const opened: Done = (error, fd) => {
          if (error === null) paths.set(fd as number, { path: String(path), folder: flags === "r" });
          done(error, fd);
        };
        this.#callback(operation, undefined, opened, (callback) => open!(path, flags, ...rest, callback));
      },
      close: (fd: number, done: Done) => {
        paths.delete(fd);
        close!(fd, done);
      },
      writev: (fd: number, buffers: Uint8Array[], position: number, done: Done) => {
        const operation = written(this.#relative(fileOf(fd)?.path), position, buffers);
        this.#callback(
          operation,
          () => writeHalf(fd, buffers, position),
          done,
          (callback) => writev!(fd, this.#shortened(operation, buffers), position, callback),
        );
      },
      ftruncate: (fd: number, length: number, done: Done) => {
        const inside = this.#relative(fileOf(fd)?.path);
        const operation: FileOperation | undefined =
          inside === undefined ? undefined : { name: "truncate", path: inside, from: length };
        this.#callback(operation, undefined, done, (callback) => ftruncate!(fd, length, callback));
      },
      rename: (from: unknown, to: unknown, done: Done) => {
        const renamed: Done = (error) => {
          if (error === null) this.#renamed(String(from), String(to));
          done(error);
        };
        this.#callback(this.#named("rename", from, to), undefined, renamed, (callback) => rename!(from, to, callback));
      },
      unlink: (path: unknown, done: Done) =>
        this.#callback(this.#named("remove", path), undefined, done, (callback) => unlink!(path, callback)),
    };
    for (const [name, sync] of Object.entries({ fdatasync, fsync })) {
      hooked[name] = (fd: number, done: Done) => {
        const file = fileOf(fd);
        const operation = file && this.#synced(file);
        this.#callback(operation, undefined, done, (callback) => sync!(fd, callback));
      };
    }
    Object.assign(fs, hooked);
  }

  #shortened(operation: FileOperation | undefined, views: readonly Uint8Array[]): readonly Uint8Array[] {
    return operation !== undefined && this.#watcher?.isShort?.(operation) === true ? [halfOf(views)] : views;
  }

  #hookPromises(): void {
    const { open, rename, unlink, rm, link, writeFile } = plainPromises as unknown as Record<
      string,
      (...args: readonly unknown[]) => Promise<unknown>
    >;
    const hooked: Record<string, (...args: any[]) => Promise<unknown>> = {
      open: async (path: unknown, flags: string, mode: unknown) => {
        const operation = flags.startsWith("w") ? this.#named("create", path) : undefined;
        const handle = await this.#promise(operation, undefined, () => open!(path, flags, mode));
        if (this.#relative(path) !== undefined) {
          this.#hookHandle(handle as fs.promises.FileHandle, String(path), flags === "r");
        }
        return handle;
      },
      rename: (from: unknown, to: unknown) =>
        this.#promise(this.#named("rename", from, to), undefined, () => rename!(from, to)),
      link: (from: unknown, to: unknown) =>
        this.#promise(this.#named("link", from, to), undefined, () => link!(from, to)),
      unlink: (path: unknown) => this.#promise(this.#named("remove", path), undefined, () => unlink!(path)),
      rm: (path: string, options: unknown) => {
        const exists = plainFs.existsSync(path);
        return this.#promise(exists ? this.#named("remove", path) : undefined, undefined, () => rm!(path, options));
      },
      writeFile: (path: unknown, data: Uint8Array | string, options: unknown) => {
        const half = Buffer.from(data as string).subarray(0, data.length >> 1);
        const tear = (): void => plainFs.writeFileSync(String(path), half);
        return this.#promise(this.#named("create", path), tear, () => writeFile!(path, data, options));
      },
    };
    Object.assign(fs.promises, hooked);
  }

  #hookHandle(handle: fs.promises.FileHandle, path: string, folder: boolean): void {
    const plain = methodsOf(handle);
    const inside = this.#relative(path);
    const synced = this.#synced({ path, folder });
    let end = 0;
    const around = (
      position: number,
      views: readonly Uint8Array[],
      run: (views: Uint8Array[]) => Promise<unknown>,
    ): Promise<unknown> => {
      const operation = written(inside, position, views)!;
      const shortened = [...this.#shortened(operation, views)];
      end = position + shortened.reduce((sum, view) => sum + view.length, 0);
      return this.#promise(
        operation,
        () => writeHalf(handle.fd, views, position),
        () => run(shortened),
      );
    };
    Object.assign(handle, {
      writev: (views: Uint8Array[], position = end) =>
        around(position, views, (shortened) => plain.writev(shortened, position)),
      write: (bytes: Uint8Array, offset: number, length: number, position: number) =>
        around(position, [bytes.subarray(offset, offset + length)], ([part]) =>
          plain.write(part!, 0, part!.length, position),
        ),
      writeFile: (data: string | Uint8Array) => around(0, [Buffer.from(data as string)], () => plain.writeFile(data)),
      sync: () => this.#promise(synced, undefined, () => plain.sync()),
      datasync: () => this.#promise(synced, undefined, () => plain.datasync()),
      truncate: (length = 0) => {
        const operation =
          inside === undefined ? undefined : ({ name: "truncate", path: inside, from: length } as const);
        return this.#promise(operation, undefined, () => plain.truncate(length));
      },
    });
  }
}

function methodsOf(handle: fs.promises.FileHandle) {
  return {
    writev: handle.writev.bind(handle),
    write: handle.write.bind(handle) as (...args: readonly unknown[]) => Promise<unknown>,
    writeFile: handle.writeFile.bind(handle),
    sync: handle.sync.bind(handle),
    datasync: handle.datasync.bind(handle),
    truncate: handle.truncate.bind(handle),
  };
}

function written(path: string | undefined, position: number, views: readonly Uint8Array[]): FileOperation | undefined {
  if (path === undefined) return undefined;
  const length = views.reduce((sum, view) => sum + view.length, 0);
  return { name: "write", path, from: position, until: position + length };
}

function writeHalf(fd: number, views: readonly Uint8Array[], position: number): void {
  const half = halfOf(views);
  plainFs.writeSync(fd, half, 0, half.length, position);
}

function halfOf(views: readonly Uint8Array[]): Uint8Array {
  const bytes = Buffer.concat(views);
  return bytes.subarray(0, Math.ceil(bytes.length / 2));
}
