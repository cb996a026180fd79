// Records that were found to be large: their lists are read from the index at once. A hint that may be forgotten, or be wrong, without changing an answer.

const recordsMax = 20_000;

export class LargeRecords {
  /** In order of first sight. */
  readonly #known = new Set<string>();

  has(table: string, id: string): boolean {
    return this.#known.has(`${table}/${id}`);
  }

  add(table: string, id: string): void {
    this.#known.add(`${table}/${id}`);
    if (this.#known.size <= recordsMax) return;
    const [oldest] = this.#known;
    this.#known.delete(oldest!);
  }
}
