// What of the log the graph stands for: kept beside it, written with it.
import type { UpdateFrame } from "../../log/port.ts";
import type { Position } from "../../model/position.ts";

interface SourceState {
  readonly source: string;
  readonly offset: number;
  readonly timestampMs: number;
}

export interface AppliedState {
  readonly sources: readonly SourceState[];
  readonly inputs: readonly Position[];
}

export class Applied {
  readonly #sources = new Map<string, SourceState>();
  readonly #inputs = new Map<string, Position>();
  /** As it is answered, until it changes. */
  #listed: readonly Position[] | undefined;

  /** Last applied offset per source. */
  get offsets(): ReadonlyMap<string, number> {
    const applied = [...this.#sources.values()].filter(({ offset }) => offset >= 0);
    return new Map(applied.map(({ source, offset }) => [source, offset]));
  }

  get inputs(): readonly Position[] {
    return (this.#listed ??= [...this.#inputs.values()]);
  }

  /** The time of publication up to which every source was applied; -Infinity before the first frame. */
  get timestampMs(): number {
    if (this.#sources.size === 0) return -Infinity;
    let oldestMs = Infinity;
    for (const { timestampMs } of this.#sources.values()) oldestMs = Math.min(oldestMs, timestampMs);
    return oldestMs;
  }

  has({ source, offset }: UpdateFrame): boolean {
    return offset <= (this.#sources.get(source)?.offset ?? -1);
  }

  add({ source, offset, timestampMs, inputs }: UpdateFrame): void {
    this.#sources.set(source, { source, offset, timestampMs });
    for (const input of inputs) this.#inputs.set(`${input.topic}/${input.partition}`, input);
    if (inputs.length > 0) this.#listed = undefined;
  }

  /** The source has reached this time, though the frame was not taken. */
  reach({ source, timestampMs }: UpdateFrame): void {
    const offset = this.#sources.get(source)?.offset ?? -1;
    this.#sources.set(source, { source, offset, timestampMs });
  }

  state(): AppliedState {
    return { sources: [...this.#sources.values()], inputs: this.inputs };
  }

  restore({ sources, inputs }: AppliedState): void {
    for (const state of sources) this.#sources.set(state.source, state);
    for (const input of inputs) this.#inputs.set(`${input.topic}/${input.partition}`, input);
    this.#listed = undefined;
  }
}
