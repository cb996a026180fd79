// The references that a cached reader gives out: a node that came from the cache has none in the store's reader until it is needed there.
import type { StoreReader } from "../../store/port.ts";

const unknown = -2;

/** References of one node type: they count up in the order in which ids are met. */
export class References {
  readonly #type: number;
  readonly #reader: StoreReader;
  readonly #ids: string[] = [];
  readonly #inner: number[] = [];
  readonly #byId = new Map<string, number>();
  readonly #byInner = new Map<number, number>();

  constructor(type: number, reader: StoreReader) {
    this.#type = type;
    this.#reader = reader;
  }

  id(reference: number): string {
    return this.#ids[reference]!;
  }

  ofId(id: string): number {
    let reference = this.#byId.get(id);
    if (reference === undefined) {
      reference = this.#ids.length;
      this.#ids.push(id);
      this.#inner.push(unknown);
      this.#byId.set(id, reference);
    }
    return reference;
  }

  /** Of a reference of the store's reader. */
  ofInner(inner: number): number {
    let reference = this.#byInner.get(inner);
    if (reference === undefined) {
      reference = this.ofId(this.#reader.id(this.#type, inner));
      this.#learn(reference, inner);
    }
    return reference;
  }

  /** The store's references, -1 where it never heard of the id. */
  async inner(references: readonly number[], signal: AbortSignal): Promise<Int32Array> {
    const missing = [...new Set(references)].filter((reference) => this.#inner[reference] === unknown);
    if (missing.length > 0) {
      const found = await this.#reader.find(
        this.#type,
        missing.map((reference) => this.#ids[reference]!),
        signal,
      );
      for (const [i, reference] of missing.entries()) this.#learn(reference, found[i]!);
    }
    return Int32Array.from(references, (reference) => (reference < 0 ? -1 : this.#inner[reference]!));
  }

  #learn(reference: number, inner: number): void {
    this.#inner[reference] = inner;
    if (inner >= 0) this.#byInner.set(inner, reference);
  }
}
