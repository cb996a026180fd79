// The API keys of a running server, in memory: kept equal to the folder that `rdg keys` writes to.
import type { Clock, Timers } from "../../core/clock.ts";
import type { RdgError } from "../../core/errors.ts";
import { type KnownKey, idOfKey, keyFileEnding } from "./api-key.ts";
import { badCredentials } from "./credentials.ts";
import type { KeyFolder } from "./key-folder.ts";
import type { Principal } from "./port.ts";

/** A revoked key is refused after this at the latest. */
const lookEveryMs = 1_000;
/** Whoever sends unknown keys makes the folder be looked at this often, at most. */
const lookGapMs = 50;

export interface KeyRingOptions {
  readonly folder: KeyFolder;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Told once of every file that is not usable. */
  readonly notice: (error: unknown) => void;
}

export class KeyRing {
  readonly #options: KeyRingOptions;
  readonly #keys = new Map<string, KnownKey>();
  readonly #noticed = new Set<string>();
  #look: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #lookedMs = -Infinity;
  #cancel: () => void = () => undefined;
  #closed = false;

  constructor(options: KeyRingOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#keys.size;
  }

  all(): Iterable<KnownKey> {
    return this.#keys.values();
  }

  /** Resolves when the keys are known. */
  async open(): Promise<void> {
    await this.#refresh();
    this.#again();
  }

  /** Looks at the folder now, not only every second. */
  async look(): Promise<void> {
    await this.#look;
    await this.#refresh();
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  /** Whose key it is. Of a key that was made a moment ago the folder tells, hence the promise. Throws, or rejects, with `bad_credentials`. */
  authenticate(secret: string): Principal | Promise<Principal> {
    const id = idOfKey(secret);
    if (id === undefined) throw badCredentials("The key does not have the form of a key.");
    const known = this.#keys.get(id);
    if (known !== undefined) return this.#checked(known, secret);
    return this.#lookAgain().then(() => {
      const found = this.#keys.get(id);
      if (found === undefined) throw unknownKey();
      return this.#checked(found, secret);
    });
  }

  #checked(known: KnownKey, secret: string): Principal {
    if (!known.is(secret)) throw unknownKey();
    if (this.#options.clock.now() >= known.expiresMs) throw badCredentials("The key has expired.");
    return known.principal;
  }

  /** Resolves after a look that begins from now on: all who ask meanwhile share it. */
  #lookAgain(): Promise<void> {
    return (this.#next ??= this.#afterGap());
  }

  async #afterGap(): Promise<void> {
    const { clock, timers } = this.#options;
    await this.#look;
    const waitMs = this.#lookedMs + lookGapMs - clock.monotonicMs();
    if (waitMs > 0) await timers.sleep(waitMs);
    this.#next = undefined;
    await this.#refresh();
  }

  #refresh(): Promise<void> {
    return (this.#look ??= this.#read().finally(() => {
      this.#look = undefined;
      this.#lookedMs = this.#options.clock.monotonicMs();
    }));
  }

  async #read(): Promise<void> {
    const { folder } = this.#options;
    let names: Set<string>;
    try {
      names = new Set(await folder.names());
      this.#noticed.delete("");
    } catch (error) {
      // What is known stays valid: a disk that does not answer must not lock everybody out.
      return this.#noticeOnce("", error);
    }
    for (const id of this.#keys.keys()) if (!names.has(`${id}${keyFileEnding}`)) this.#keys.delete(id);
    for (const name of names) {
      if (this.#keys.has(name.slice(0, -keyFileEnding.length))) continue;
      try {
        const known = await folder.read(name);
        if (known !== undefined) this.#keys.set(known.key.id, known);
      } catch (error) {
        this.#noticeOnce(name, error);
      }
    }
  }

  #noticeOnce(name: string, error: unknown): void {
    if (!this.#noticed.has(name)) this.#options.notice(error);
    this.#noticed.add(name);
  }

  #again(): void {
    if (this.#closed) return;
    this.#cancel = this.#options.timers.after(lookEveryMs, () => void this.#refresh().finally(() => this.#again()));
  }
}

/** The same for a wrong, an unknown and a revoked key. */
function unknownKey(): RdgError {
  return badCredentials("The key is not known: it was revoked, or never made here.");
}
