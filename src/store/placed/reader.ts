// Reads for one request over several stores: each question goes to the store that holds the type. A node type that one store alone knows keeps that store's references.
import type { GraphModel } from "../../model/definition.ts";
import type {
  AdjacencyBatch,
  AdjacencyRequest,
  Degree,
  DegreesRequest,
  EdgeRequest,
  EdgeRow,
  NodeRows,
  NodesRequest,
  StoreReader,
} from "../port.ts";
import type { StorePart } from "./placement.ts";
import { SharedReferences } from "./references.ts";

/** Where the questions of a type go. Parts are named by their number. */
export interface Routes {
  /** By node type. */
  readonly nodes: readonly { readonly home: number; readonly known: readonly number[] }[];
  /** By edge type: its part, its index there, and the types of its ends. */
  readonly edges: readonly {
    readonly part: number;
    readonly type: number;
    readonly from: number;
    readonly to: number;
  }[];
}

export function routesOf(model: GraphModel, parts: readonly StorePart[]): Routes {
  const typeOf = (wanted: string): number => model.nodes.findIndex(({ name }) => name === wanted);
  const edges = model.edges.map(({ from, to }, type) => {
    const part = parts.findIndex((each) => each.edges[type] !== -1);
    return { part, type: parts[part]!.edges[type]!, from: typeOf(from), to: typeOf(to) };
  });
  const nodes = model.nodes.map((_, type) => {
    const home = parts.findIndex(({ homes }) => homes[type] === true);
    const ending = edges.filter(({ from, to }) => from === type || to === type).map(({ part }) => part);
    return { home, known: [...new Set([home, ...ending])] };
  });
  return { nodes, edges };
}

const none = new Float64Array(0);

export class PlacedReader implements StoreReader {
  readonly #routes: Routes;
  readonly #readers: readonly StoreReader[];
  /** By node type; missing where one part alone knows it. */
  readonly #shared: readonly (SharedReferences | undefined)[];

  constructor(routes: Routes, readers: readonly StoreReader[]) {
    this.#routes = routes;
    this.#readers = readers;
    this.#shared = routes.nodes.map(({ home, known }, type) =>
      known.length === 1
        ? undefined
        : new SharedReferences(type, home, new Map(known.map((part) => [part, readers[part]!]))),
    );
  }

  find(type: number, ids: readonly string[], signal: AbortSignal): Promise<Int32Array> {
    return this.#shared[type]?.find(ids, signal) ?? this.#home(type).find(type, ids, signal);
  }

  id(type: number, reference: number): string {
    return this.#shared[type]?.id(reference) ?? this.#home(type).id(type, reference);
  }

  async nodes(request: NodesRequest, signal: AbortSignal): Promise<NodeRows> {
    const { type, references } = request;
    const { home } = this.#routes.nodes[type]!;
    return await this.#home(type).nodes(
      { ...request, references: await this.#theirs(type, home, references, signal) },
      signal,
    );
  }

  async *adjacency(request: AdjacencyRequest, signal: AbortSignal): AsyncIterable<AdjacencyBatch> {
    const { part, type, from, to } = this.#routes.edges[request.edge]!;
    const [here, there] = request.direction === "out" ? [from, to] : [to, from];
    const asked = Int32Array.from(request.records, ({ reference }) => reference);
    const theirs = await this.#theirs(here, part, asked, signal);
    const known = [...theirs.keys()].filter((record) => theirs[record]! >= 0);
    const records = known.map((record) => ({ ...request.records[record]!, reference: theirs[record]! }));
    const shared = this.#shared[there];
    /** Of records without edges, those that come next. */
    let next = 0;
    if (records.length > 0) {
      for await (const batch of this.#readers[part]!.adjacency({ ...request, edge: type, records }, signal)) {
        const record = known[batch.record]!;
        for (; next < record; next++) yield emptyOf(next, request);
        if (batch.end !== undefined) next = record + 1;
        const neighbours =
          shared === undefined ? batch.neighbours : batch.neighbours.map((each) => shared.of(part, each));
        yield { ...batch, record, neighbours };
      }
    }
    for (; next < request.records.length; next++) yield emptyOf(next, request);
  }

  edge(request: EdgeRequest, signal: AbortSignal): Promise<EdgeRow | undefined> {
    const { part, type } = this.#routes.edges[request.edge]!;
    return this.#readers[part]!.edge({ ...request, edge: type }, signal);
  }

  async degrees(request: DegreesRequest, signal: AbortSignal): Promise<readonly Degree[]> {
    const { part, type, from, to } = this.#routes.edges[request.edge]!;
    const here = request.direction === "out" ? from : to;
    const references = await this.#theirs(here, part, request.references, signal);
    return await this.#readers[part]!.degrees({ ...request, edge: type, references }, signal);
  }

  close(): void {
    for (const reader of this.#readers) reader.close();
  }

  #home(type: number): StoreReader {
    return this.#readers[this.#routes.nodes[type]!.home]!;
  }

  async #theirs(type: number, part: number, references: Int32Array, signal: AbortSignal): Promise<Int32Array> {
    return (await this.#shared[type]?.theirs(part, references, signal)) ?? references;
  }
}

/** A record of which the edges' store has never heard. */
function emptyOf(record: number, { select }: AdjacencyRequest): AdjacencyBatch {
  return {
    record,
    count: 0,
    neighbours: new Int32Array(0),
    firstSeenMs: none,
    lastSeenMs: none,
    properties: select.map(() => []),
    scanned: 0,
    end: "complete",
  };
}
