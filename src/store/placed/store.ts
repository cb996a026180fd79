// One graph on several stores: every type is on one of them, each with positions of its own. docs/adr/0136 says what holds across them and what does not.
//
// What is applied to the whole is what is applied to all. A read may see of one store what another one does not have yet; who passes positions waits for all.
import type { UpdateFrame } from "../../log/port.ts";
import type { GraphModel } from "../../model/definition.ts";
import type { Position } from "../../model/position.ts";
import type {
  AppliedPositions,
  Difference,
  ReaderOptions,
  ScannedElement,
  Store,
  StoreCapabilities,
  StoreReader,
  StoreStatistics,
} from "../port.ts";
import type { StorePart } from "./placement.ts";
import { PlacedReader, type Routes, routesOf } from "./reader.ts";

export interface PlacedPart {
  readonly part: StorePart;
  /** Of the part's model; it takes frames of the whole graph (project.ts). */
  readonly store: Store;
}

/** @param parts all of the model's (placement.ts); they are closed with the whole */
export function placedStore(model: GraphModel, parts: readonly PlacedPart[]): Store {
  return new PlacedStore(model, parts);
}

class PlacedStore implements Store {
  readonly capabilities: StoreCapabilities;
  readonly #model: GraphModel;
  readonly #parts: readonly PlacedPart[];
  readonly #routes: Routes;

  constructor(model: GraphModel, parts: readonly PlacedPart[]) {
    this.#model = model;
    this.#parts = parts;
    this.#routes = routesOf(
      model,
      parts.map(({ part }) => part),
    );
    this.capabilities = capabilitiesOf(this.#routes, parts);
  }

  /** By whoever feeds all of them at once; where each is fed by itself, nobody calls it. */
  async apply(frame: UpdateFrame): Promise<void> {
    await all(this.#parts.map(({ store }) => store.apply(frame)));
  }

  async applied(): Promise<AppliedPositions> {
    return leastOf(await Promise.all(this.#parts.map(({ store }) => store.applied())));
  }

  reader(options?: ReaderOptions): StoreReader {
    return new PlacedReader(
      this.#routes,
      this.#parts.map(({ store }) => store.reader(options)),
    );
  }

  async *verify(signal?: AbortSignal): AsyncIterable<Difference> {
    for (const { store } of this.#parts) yield* store.verify(signal);
  }

  async *scan(signal?: AbortSignal): AsyncIterable<ScannedElement> {
    for (const { part, store } of this.#parts) {
      const types = part.edges.flatMap((index, type) => (index === -1 ? [] : type));
      for await (const element of store.scan(signal)) {
        yield element.kind === "node" ? element : { ...element, type: types[element.type]! };
      }
    }
  }

  async statistics(): Promise<StoreStatistics> {
    const found = await Promise.all(this.#parts.map(({ store }) => store.statistics()));
    const { nodes, edges } = this.#routes;
    const sum = (of: "memoryBytes" | "memoryMaxBytes"): number => found.reduce((total, each) => total + each[of], 0);
    return {
      nodes: Object.fromEntries(this.#model.nodes.map(({ name }, i) => [name, found[nodes[i]!.home]!.nodes[name]!])),
      edges: Object.fromEntries(this.#model.edges.map(({ name }, i) => [name, found[edges[i]!.part]!.edges[name]!])),
      memoryBytes: sum("memoryBytes"),
      memoryMaxBytes: sum("memoryMaxBytes"),
    };
  }

  async close(): Promise<void> {
    await all(this.#parts.map(({ store }) => store.close()));
  }
}

/** What all of them can do. A store filters by neighbours where the nodes at both ends of all its edges are its own. */
function capabilitiesOf({ nodes, edges }: Routes, parts: readonly PlacedPart[]): StoreCapabilities {
  const each = parts.map(({ store }) => store.capabilities);
  const isWhole = edges.every(({ part, from, to }) => nodes[from]!.home === part && nodes[to]!.home === part);
  return {
    local: each.every(({ local }) => local === true),
    atomicPositions: each.every(({ atomicPositions }) => atomicPositions),
    exactDegrees: each.every(({ exactDegrees }) => exactDegrees),
    timedDegrees: each.every(({ timedDegrees }) => timedDegrees === true),
    filters: {
      edge: each.every(({ filters }) => filters.edge),
      node: isWhole && each.every(({ filters }) => filters.node),
    },
  };
}

/** Up to where all are; of what one of them has not heard of yet, nothing is said. */
function leastOf(all: readonly AppliedPositions[]): AppliedPositions {
  const [first, ...others] = all.map(({ sources, inputs }) => ({
    sources,
    inputs: new Map(inputs.map((position) => [keyOf(position), position])),
  }));
  const sources = new Map<string, number>();
  for (const [source, offset] of first!.sources) {
    if (others.every((other) => other.sources.has(source))) {
      sources.set(source, Math.min(offset, ...others.map((other) => other.sources.get(source)!)));
    }
  }
  const inputs: Position[] = [];
  for (const [key, position] of first!.inputs) {
    if (others.every((other) => other.inputs.has(key))) {
      const offsets = others.map((other) => other.inputs.get(key)!.offset);
      inputs.push({ ...position, offset: Math.min(position.offset, ...offsets) });
    }
  }
  return { sources, inputs };
}

const keyOf = ({ topic, partition }: Position): string => `${topic}/${partition}`;

/** Waits for all of them, also when one has failed: none is under way any more. */
async function all(works: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(works)) if (result.status === "rejected") throw result.reason;
}
