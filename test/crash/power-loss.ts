// Makes a kill a power failure: just before the process dies, changes of files that were not synced are undone, some or all of them, as a system that
// crashed could have lost them. Contents count as stored when the file was synced, names when their folder was.
import { join } from "node:path";
import type { Random } from "../../src/core/random.ts";
import { type FileOperation, type FileWatcher, plainFs } from "./file-hooks.ts";

/** What a file held when it was last synced, where that has changed since. */
interface Unsynced {
  readonly bytes: number;
  /** Overwritten or cut off, in order. */
  readonly lost: { readonly from: number; readonly bytes: Buffer }[];
}

interface NameChange {
  readonly folder: string;
  undo(): void;
  /** The change is durable. */
  forget(): void;
}

export class PowerLoss implements FileWatcher {
  readonly #folder: string;
  readonly #stash: string;
  readonly #files = new Map<string, Unsynced>();
  /** Under way: not known to have happened. */
  readonly #pending = new Map<FileOperation, NameChange>();
  #names: NameChange[] = [];
  #stashed = 0;

  /** @param stash a folder on the same file system, made anew, for what was replaced or removed */
  constructor(folder: string, stash: string) {
    this.#folder = folder;
    this.#stash = stash;
    plainFs.rmSync(stash, { recursive: true, force: true });
    plainFs.mkdirSync(stash);
  }

  before(operation: FileOperation): undefined {
    const path = join(this.#folder, operation.path);
    const { name } = operation;
    if (name === "write" || name === "truncate") this.#keep(path, operation.from!, operation.until ?? Infinity);
    else if (name !== "sync" && name !== "syncFolder") this.#pending.set(operation, this.#change(operation, path));
  }

  after(operation: FileOperation): void {
    const path = join(this.#folder, operation.path);
    if (operation.name === "sync") this.#files.delete(path);
    else if (operation.name === "syncFolder") {
      for (const change of this.#names) if (change.folder === path) change.forget();
      this.#names = this.#names.filter(({ folder }) => folder !== path);
    }
    const change = this.#pending.get(operation);
    if (change === undefined) return;
    this.#pending.delete(operation);
    this.#names.push(change);
    if (operation.name === "rename") this.#moveContent(path, join(this.#folder, operation.to!));
  }

  /** The power fails. */
  lose(random: Random): void {
    for (const [path, unsynced] of this.#files) if (random.below(3) > 0) restore(path, unsynced);
    const folders = new Set(this.#names.map(({ folder }) => folder));
    for (const lost of folders) {
      const changes = this.#names.filter(({ folder }) => folder === lost);
      // Changes of one folder are stored in order: the last ones are lost.
      const kept = random.below(changes.length + 1);
      for (const change of changes.slice(kept).reverse()) change.undo();
    }
  }

  #keep(path: string, from: number, until: number): void {
    const fd = plainFs.openSync(path, "r");
    try {
      const { size } = plainFs.fstatSync(fd);
      const unsynced = this.#files.get(path) ?? { bytes: size, lost: [] };
      this.#files.set(path, unsynced);
      const bytes = Buffer.alloc(Math.max(0, Math.min(until, size) - from));
      plainFs.readSync(fd, bytes, 0, bytes.length, from);
      if (bytes.length > 0) unsynced.lost.push({ from, bytes });
    } finally {
      plainFs.closeSync(fd);
    }
  }

  #change({ name, to }: FileOperation, path: string): NameChange {
    const target = to === undefined ? path : join(this.#folder, to);
    const folder = join(target, "..");
    // What stands under the name that is taken away or over comes back.
    const replaced = plainFs.existsSync(target) ? join(this.#stash, String(this.#stashed++)) : undefined;
    if (replaced !== undefined) plainFs.linkSync(target, replaced);
    const undo = (): void => {
      if (name === "rename") quietly(() => plainFs.renameSync(target, path));
      else if (name !== "remove" && replaced === undefined) quietly(() => plainFs.unlinkSync(target));
      if (replaced !== undefined && name !== "create") quietly(() => plainFs.renameSync(replaced, target));
    };
    const forget = (): void => {
      if (replaced !== undefined) quietly(() => plainFs.unlinkSync(replaced));
    };
    return { folder, undo, forget };
  }

  #moveContent(from: string, to: string): void {
    const unsynced = this.#files.get(from);
    this.#files.delete(from);
    this.#files.delete(to);
    if (unsynced !== undefined) this.#files.set(to, unsynced);
  }
}

function restore(path: string, { bytes, lost }: Unsynced): void {
  quietly(() => {
    const fd = plainFs.openSync(path, "r+");
    try {
      for (const { from, bytes: old } of lost.toReversed()) plainFs.writeSync(fd, old, 0, old.length, from);
      plainFs.ftruncateSync(fd, bytes);
    } finally {
      plainFs.closeSync(fd);
    }
  });
}

/** A file that a later change has moved away has nothing to come back to. */
function quietly(run: () => void): void {
  try {
    run();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
