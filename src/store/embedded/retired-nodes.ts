// Node rows that were given up while readers may still hold references to them: used again once no such reader is open.
import type { NodeType } from "./node-type.ts";

interface Retired {
  readonly type: NodeType;
  readonly row: number;
  /** Readers with a smaller number may hold the reference. */
  readonly before: number;
}

export class RetiredNodes {
  /** Numbers of open readers, in the order of opening. */
  readonly #open = new Set<number>();
  #next = 0;
  #waiting: Retired[] = [];

  /** The number of a new reader. */
  open(): number {
    this.#open.add(this.#next);
    return this.#next++;
  }

  close(reader: number): void {
    const wasOldest = this.#oldest() === reader;
    this.#open.delete(reader);
    if (wasOldest && this.#waiting.length > 0) this.#release();
  }

  /** Gives up a row that no one finds and nothing holds any more. */
  retire(type: NodeType, row: number): void {
    this.#waiting.push({ type, row, before: this.#next });
    if (this.#open.size === 0) this.#release();
  }

  /** Rows by node type that wait: a checkpoint has no readers, who restores it frees them. */
  waiting(): readonly { readonly type: number; readonly row: number }[] {
    return this.#waiting.map(({ type, row }) => ({ type: type.index, row }));
  }

  #oldest(): number {
    for (const reader of this.#open) return reader;
    return Infinity;
  }

  #release(): void {
    const oldest = this.#oldest();
    const still = this.#waiting.findIndex(({ before }) => before > oldest);
    const released = this.#waiting.splice(0, still < 0 ? this.#waiting.length : still);
    for (const { type, row } of released) type.free(row);
  }
}
