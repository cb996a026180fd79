// A cache bounded by weight that one large scan does not empty: what was asked for once gives way before what was asked for again (segmented LRU).
//
// Two lists in order of use. New entries come into the first; a second use moves them into the second, which may take four fifths of the weight and hands its
// least recently used back to the first. Room is made at the end of the first.

interface Entry<V> {
  readonly key: string;
  readonly value: V;
  readonly weight: number;
  list: List<V>;
  before: Entry<V> | undefined;
  after: Entry<V> | undefined;
}

/** Entries from the least to the most recently used. */
class List<V> {
  first: Entry<V> | undefined;
  last: Entry<V> | undefined;
  weight = 0;

  add(entry: Entry<V>): void {
    entry.list = this;
    entry.before = this.last;
    entry.after = undefined;
    if (this.last === undefined) this.first = entry;
    else this.last.after = entry;
    this.last = entry;
    this.weight += entry.weight;
  }

  remove(entry: Entry<V>): void {
    if (entry.before === undefined) this.first = entry.after;
    else entry.before.after = entry.after;
    if (entry.after === undefined) this.last = entry.before;
    else entry.after.before = entry.before;
    this.weight -= entry.weight;
  }
}

/** Of the weight, what entries that were used more than once may take. */
const usedShare = 0.8;
/** Heavier entries than this share are not kept: they would take the place of too many. */
const entryShareMax = 0.125;

export class WeighedCache<V> {
  readonly weightMax: number;
  /** Entries that made room for others. */
  evicted = 0;
  readonly #entries = new Map<string, Entry<V>>();
  readonly #fresh = new List<V>();
  readonly #used = new List<V>();

  constructor(weightMax: number) {
    this.weightMax = weightMax;
  }

  get count(): number {
    return this.#entries.size;
  }

  get weight(): number {
    return this.#fresh.weight + this.#used.weight;
  }

  /** Counts as a use. */
  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    entry.list.remove(entry);
    this.#used.add(entry);
    while (this.#used.weight > this.weightMax * usedShare) {
      const oldest = this.#used.first!;
      this.#used.remove(oldest);
      this.#fresh.add(oldest);
    }
    return entry.value;
  }

  /** Does not count as a use. */
  peek(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  /** Replaces what was there. An entry that is replaced stays in its place among those used again. */
  set(key: string, value: V, weight: number): void {
    const held = this.#entries.get(key);
    if (held !== undefined) this.#remove(held);
    if (weight > this.weightMax * entryShareMax) return;
    const list = held?.list ?? this.#fresh;
    const entry: Entry<V> = { key, value, weight, list, before: undefined, after: undefined };
    this.#entries.set(key, entry);
    list.add(entry);
    while (this.weight > this.weightMax) {
      this.#remove((this.#fresh.first ?? this.#used.first)!);
      this.evicted++;
    }
  }

  delete(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#remove(entry);
    return true;
  }

  clear(): void {
    for (const entry of this.#entries.values()) this.#remove(entry);
  }

  #remove(entry: Entry<V>): void {
    entry.list.remove(entry);
    this.#entries.delete(entry.key);
  }
}
