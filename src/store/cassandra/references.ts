// References of one reader: ids of each node type count up in the order in which they are met.

export class References {
  readonly #ids: readonly string[][];
  readonly #byId: readonly Map<string, number>[];

  constructor(nodeTypes: number) {
    this.#ids = Array.from({ length: nodeTypes }, () => []);
    this.#byId = Array.from({ length: nodeTypes }, () => new Map());
  }

  id(type: number, reference: number): string {
    return this.#ids[type]![reference]!;
  }

  of(type: number, id: string): number {
    const byId = this.#byId[type]!;
    let reference = byId.get(id);
    if (reference === undefined) {
      const ids = this.#ids[type]!;
      reference = ids.push(id) - 1;
      byId.set(id, reference);
    }
    return reference;
  }
}
