// Files that are replaced while RDG runs, such as certificates: looked at now and then, and loaded again once they are others.
import { stat } from "node:fs/promises";
import type { Timers } from "../../core/clock.ts";

/** Watching by the system misses files behind links that are swapped, as orchestrators do it. */
const lookEveryMs = 5_000;

export interface WatchedFilesOptions {
  readonly paths: readonly string[];
  readonly timers: Timers;
  /** Rejects when the files are not usable as they are; what was loaded before stays. */
  readonly load: () => Promise<void>;
  /** Told of files that are not usable, once until they change again. */
  readonly notice: (error: unknown) => void;
}

export class WatchedFiles {
  readonly #options: WatchedFilesOptions;
  #loaded: string | undefined;
  #noticed: string | undefined;
  #cancel: () => void = () => undefined;
  #closed = false;

  constructor(options: WatchedFilesOptions) {
    this.#options = options;
  }

  /** Loads for the first time, and rejects as `load` does. */
  async open(): Promise<void> {
    this.#loaded = await this.#signature();
    await this.#options.load();
    this.#again();
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  /** Loads again what has changed. Never rejects. */
  async look(): Promise<void> {
    const signature = await this.#signature();
    if (signature === this.#loaded) return;
    try {
      await this.#options.load();
      this.#loaded = signature;
    } catch (error) {
      if (this.#noticed !== signature) this.#options.notice(error);
      this.#noticed = signature;
    }
  }

  #again(): void {
    if (this.#closed) return;
    this.#cancel = this.#options.timers.after(lookEveryMs, () => void this.look().finally(() => this.#again()));
  }

  async #signature(): Promise<string> {
    const each = this.#options.paths.map((path) =>
      stat(path).then(
        ({ ino, size, mtimeMs, ctimeMs }) => `${ino} ${size} ${mtimeMs} ${ctimeMs}`,
        (error: NodeJS.ErrnoException) => String(error.code),
      ),
    );
    return (await Promise.all(each)).join("\n");
  }
}
