// What of the log the graph stands for: kept beside it, written with it.
import type { UpdateFrame } from "../../log/port.ts";
import type { Position } from "../../model/position.ts";

export interface AppliedState {
  readonly sources: readonly (readonly [string, number])[];
  readonly inputs: readonly Position[];
}

export class Applied {
  /** Last applied offset per source. */
  readonly sources = new Map<string, number>();
  readonly #inputs = new Map<string, Position>();

  get inputs(): readonly Position[] {
    return [...this.#inputs.values()];
  }

  has(frame: UpdateFrame): boolean {
    return frame.offset <= (this.sources.get(frame.source) ?? -1);
  }

  add(frame: UpdateFrame): void {
    this.sources.set(frame.source, frame.offset);
    for (const input of frame.inputs) this.#inputs.set(`${input.topic}/${input.partition}`, input);
  }

  state(): AppliedState {
    return { sources: [...this.sources], inputs: this.inputs };
  }

  restore({ sources, inputs }: AppliedState): void {
    for (const [source, offset] of sources) this.sources.set(source, offset);
    for (const input of inputs) this.#inputs.set(`${input.topic}/${input.partition}`, input);
  }
}
