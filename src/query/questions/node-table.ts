// Nodes of all types that a search has reached, each once, and the steps between them, as growing columns of integers: a search may look at a million edges.

const countFirst = 64;

/** The depth of a node that a side has not reached. */
export const unreached = 255;

/** Nodes are numbered in the order in which they came: an open table over (type, reference). */
export class NodeTable {
  count = 0;
  types = new Int32Array(countFirst);
  references = new Int32Array(countFirst);
  /** Numbers + 1. */
  #slots = new Int32Array(countFirst * 4);
  /** Per side: edges between the node and where that side began. */
  readonly #depths = [new Uint8Array(countFirst), new Uint8Array(countFirst)];

  /** The number of a node, which is new or known. */
  add(type: number, reference: number): number {
    if (this.count === this.types.length) this.#grow();
    const slot = this.#slotOf(type, reference);
    const held = this.#slots[slot]!;
    if (held !== 0) return held - 1;
    const number = this.count++;
    this.#slots[slot] = number + 1;
    this.types[number] = type;
    this.references[number] = reference;
    for (const depths of this.#depths) depths[number] = unreached;
    return number;
  }

  /** The number of a node, or -1. */
  find(type: number, reference: number): number {
    return this.#slots[this.#slotOf(type, reference)]! - 1;
  }

  depth(side: number, number: number): number {
    return this.#depths[side]![number]!;
  }

  setDepth(side: number, number: number, depth: number): void {
    this.#depths[side]![number] = depth;
  }

  /** Where the node is, or the free slot that it would take. */
  #slotOf(type: number, reference: number): number {
    const mask = this.#slots.length - 1;
    let slot = ((Math.imul(reference, 0x9e3779b1) ^ Math.imul(type, 0x85ebca6b)) >>> 7) & mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const number = this.#slots[slot]! - 1;
      if (this.references[number] === reference && this.types[number] === type) break;
    }
    return slot;
  }

  #grow(): void {
    const size = this.types.length * 2;
    this.types = moved(this.types, new Int32Array(size));
    this.references = moved(this.references, new Int32Array(size));
    for (const [side, depths] of this.#depths.entries()) this.#depths[side] = moved(depths, new Uint8Array(size));
    this.#slots = new Int32Array(size * 4);
    for (let number = 0; number < this.count; number++) {
      this.#slots[this.#slotOf(this.types[number]!, this.references[number]!)] = number + 1;
    }
  }
}

/** Steps of one side, each from a node to one that is one edge farther from where the side began; in the order of depth. */
export class Steps {
  count = 0;
  nearer = new Int32Array(countFirst);
  farther = new Int32Array(countFirst);
  /** By which branch. */
  branches = new Int32Array(countFirst);

  add(nearer: number, farther: number, branch: number): void {
    if (this.count === this.nearer.length) {
      const size = this.count * 2;
      this.nearer = moved(this.nearer, new Int32Array(size));
      this.farther = moved(this.farther, new Int32Array(size));
      this.branches = moved(this.branches, new Int32Array(size));
    }
    const at = this.count++;
    this.nearer[at] = nearer;
    this.farther[at] = farther;
    this.branches[at] = branch;
  }
}

function moved<T extends Int32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
