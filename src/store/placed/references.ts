// References of one reader to nodes of a type that several stores know: one number here for what each of them has a number of its own for.
import type { StoreReader } from "../port.ts";

/** A store that was not asked yet. */
const unasked = -2;

export class SharedReferences {
  readonly #type: number;
  readonly #readers: ReadonlyMap<number, StoreReader>;
  readonly #ids: string[] = [];
  readonly #byId = new Map<string, number>();
  /** By part: its reference by ours, and ours by its. */
  readonly #theirs = new Map<number, number[]>();
  readonly #ours = new Map<number, Map<number, number>>();
  /** The part whose nodes these are, then the others. */
  readonly #order: readonly number[];

  /** @param readers of the parts that know the type, by their numbers; `home` is the one that holds the nodes */
  constructor(type: number, home: number, readers: ReadonlyMap<number, StoreReader>) {
    this.#type = type;
    this.#readers = readers;
    this.#order = [home, ...[...readers.keys()].filter((part) => part !== home)];
    for (const part of readers.keys()) {
      this.#theirs.set(part, []);
      this.#ours.set(part, new Map());
    }
  }

  id(reference: number): string {
    return this.#ids[reference]!;
  }

  /** -1 where no store has heard of it. Most are known where they live: others are asked for the rest only. */
  async find(ids: readonly string[], signal: AbortSignal): Promise<Int32Array> {
    const found = Int32Array.from(ids, (id) => this.#byId.get(id) ?? -1);
    for (const part of this.#order) {
      const missing = [...found.keys()].filter((i) => found[i] === -1);
      if (missing.length === 0) break;
      const asked = missing.map((i) => ids[i]!);
      const theirs = await this.#readers.get(part)!.find(this.#type, asked, signal);
      for (const [j, i] of missing.entries()) {
        if (theirs[j]! >= 0) found[i] = this.#met(part, theirs[j]!, ids[i]!);
      }
    }
    return found;
  }

  /** Our reference of what a part has answered. */
  of(part: number, theirs: number): number {
    const known = this.#ours.get(part)!.get(theirs);
    return known ?? this.#met(part, theirs, this.#readers.get(part)!.id(this.#type, theirs));
  }

  /** A part's references of ours; -1 where it knows nothing of the node, or there is none. */
  async theirs(part: number, references: Int32Array, signal: AbortSignal): Promise<Int32Array> {
    const known = this.#theirs.get(part)!;
    const unknown = [...new Set(references)].filter((ours) => ours >= 0 && (known[ours] ?? unasked) === unasked);
    if (unknown.length > 0) {
      const ids = unknown.map((ours) => this.#ids[ours]!);
      const answered = await this.#readers.get(part)!.find(this.#type, ids, signal);
      for (const [i, ours] of unknown.entries()) {
        if (answered[i]! >= 0) this.#met(part, answered[i]!, ids[i]!);
        else known[ours] = -1;
      }
    }
    return references.map((ours) => (ours < 0 ? -1 : known[ours]!));
  }

  #met(part: number, theirs: number, id: string): number {
    let ours = this.#byId.get(id);
    if (ours === undefined) {
      ours = this.#ids.push(id) - 1;
      this.#byId.set(id, ours);
      for (const known of this.#theirs.values()) known.push(unasked);
    }
    this.#theirs.get(part)![ours] = theirs;
    this.#ours.get(part)!.set(theirs, ours);
    return ours;
  }
}
