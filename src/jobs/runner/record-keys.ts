// Under which keys of a team's records rows came that have other keys themselves: a removal names the record's key only, and what compaction keeps goes by it too.

/** Two entries of maps and their texts, beside the bytes of the keys. */
const pairBytes = 200;

/** Where records have the keys of their rows, nothing is kept here. */
export class RecordKeys {
  sizeBytes = 0;
  readonly #hasRow: (key: Uint8Array) => boolean;
  readonly #rowKeys = new Map<string, string>();
  /** The same the other way round. */
  readonly #recordKeys = new Map<string, string>();

  constructor(hasRow: (key: Uint8Array) => boolean) {
    this.#hasRow = hasRow;
  }

  /** A row comes. Answers the key of the one that it replaces, where that is another. */
  put(recordKey: Uint8Array | undefined, rowKey: Uint8Array): Uint8Array | undefined {
    const row = textOf(rowKey);
    if (recordKey === undefined) {
      this.#forget(this.#recordKeys.get(row));
      return undefined;
    }
    const record = textOf(recordKey);
    const before = this.#rowOf(recordKey, record);
    if (before === row) return undefined;
    this.#forget(record);
    // Whose removal comes later removes what it wrote itself, not this one.
    this.#forget(this.#recordKeys.get(row));
    if (record !== row) {
      this.#rowKeys.set(record, row);
      this.#recordKeys.set(row, record);
      this.sizeBytes += sizeOf(record, row);
    }
    return before === undefined ? undefined : Buffer.from(before, "latin1");
  }

  /** Answers the key of the row that came under the record's key. */
  remove(recordKey: Uint8Array): Uint8Array | undefined {
    const record = textOf(recordKey);
    const row = this.#rowOf(recordKey, record);
    this.#forget(record);
    return row === undefined ? undefined : Buffer.from(row, "latin1");
  }

  #rowOf(recordKey: Uint8Array, record: string): string | undefined {
    const row = this.#rowKeys.get(record);
    if (row !== undefined || this.#recordKeys.has(record)) return row;
    return this.#hasRow(recordKey) ? record : undefined;
  }

  #forget(record: string | undefined): void {
    const row = record === undefined ? undefined : this.#rowKeys.get(record);
    if (row === undefined) return;
    this.#rowKeys.delete(record!);
    this.#recordKeys.delete(row);
    this.sizeBytes -= sizeOf(record!, row);
  }
}

const textOf = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
const sizeOf = (record: string, row: string): number => pairBytes + 2 * (record.length + row.length);
