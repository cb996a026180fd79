// What one store is told of a transaction: the updates of its types, the ids that its edges end in, and every removal of a node, wherever that lives.
import type { UpdateFrame } from "../../log/port.ts";
import type { BytesColumn, EdgeColumns, NodeColumns, UpdateBatch } from "../../model/update/batch.ts";
import type { Store } from "../port.ts";
import type { StorePart } from "./placement.ts";

/** Makes the store take frames of the whole graph: it keeps what is the part's. */
export function keepingPart<S extends Pick<Store, "apply">>(store: S, part: StorePart): S {
  const apply = store.apply.bind(store);
  store.apply = (frame) => apply(projected(frame, part));
  return store;
}

function projected(frame: UpdateFrame, part: StorePart): UpdateFrame {
  const { source, offset, job, timestampMs, inputs, sizeBytes } = frame;
  return {
    source,
    offset,
    job,
    timestampMs,
    inputs,
    sizeBytes,
    updates() {
      const batch = frame.updates();
      return batch && projectedBatch(batch, part);
    },
  };
}

/** Undefined where nothing of it is the part's. */
function projectedBatch(batch: UpdateBatch, { model, homes, edges: edgeTypes }: StorePart): UpdateBatch | undefined {
  const edges = batch.edges.filter(({ type }) => edgeTypes[type] !== -1);
  const ends = new Ends(batch.nodes);
  const endsOf = edges.map(({ type }): readonly [number, number] => {
    const { from, to } = model.edges[edgeTypes[type]!]!;
    return [nodeType(model.nodes, from), nodeType(model.nodes, to)];
  });
  for (const [i, { from, to, count }] of edges.entries()) {
    const [fromType, toType] = endsOf[i]!;
    if (homes[fromType] === false) ends.mark(fromType, from, count);
    if (homes[toType] === false) ends.mark(toType, to, count);
  }
  const nodes = batch.nodes.flatMap((columns) => (homes[columns.type] === true ? columns : (ends.kept(columns) ?? [])));
  if (nodes.length === 0) return undefined;
  return {
    eventCount: batch.eventCount,
    nodes,
    edges: edges.map((columns, i): EdgeColumns => {
      const [fromType, toType] = endsOf[i]!;
      const { type, from, to, count } = columns;
      return {
        ...columns,
        type: edgeTypes[type]!,
        from: ends.renumbered(fromType, from, count),
        to: ends.renumbered(toType, to, count),
      };
    }),
  };
}

const nodeType = (nodes: readonly { readonly name: string }[], wanted: string): number =>
  nodes.findIndex(({ name }) => name === wanted);

/** Rows of node types that live elsewhere: those that are needed here, and the numbers that they get. */
class Ends {
  readonly #needed = new Map<number, Uint8Array>();
  readonly #numbers = new Map<number, Uint32Array>();

  constructor(nodes: readonly NodeColumns[]) {
    for (const { type, count } of nodes) this.#needed.set(type, new Uint8Array(count));
  }

  mark(type: number, rows: Uint32Array, count: number): void {
    const needed = this.#needed.get(type)!;
    for (let i = 0; i < count; i++) needed[rows[i]!] = 1;
  }

  /** Rows that are marked or removed, without what else is said of them; undefined where there are none. */
  kept({ type, count, ids, removedAtMs }: NodeColumns): NodeColumns | undefined {
    const needed = this.#needed.get(type)!;
    const rows: number[] = [];
    const numbers = new Uint32Array(count);
    for (let row = 0; row < count; row++) {
      if (needed[row] === 0 && (removedAtMs === undefined || removedAtMs[row] === -Infinity)) continue;
      numbers[row] = rows.push(row) - 1;
    }
    if (rows.length === 0) return undefined;
    this.#numbers.set(type, numbers);
    return {
      type,
      count: rows.length,
      lastSeenMs: new Float64Array(rows.length).fill(-Infinity),
      firstSeenMs: new Float64Array(rows.length).fill(Infinity),
      ...(removedAtMs && { removedAtMs: Float64Array.from(rows, (row) => removedAtMs[row]!) }),
      properties: [],
      ids: pickedBytes(ids, rows),
    };
  }

  /** Rows by their new numbers; as they are where the type's rows were left alone. */
  renumbered(type: number, rows: Uint32Array, count: number): Uint32Array {
    const numbers = this.#numbers.get(type);
    return numbers === undefined ? rows : rows.subarray(0, count).map((row) => numbers[row]!);
  }
}

function pickedBytes({ bytes, starts }: BytesColumn, rows: readonly number[]): BytesColumn {
  const picked = new Uint32Array(rows.length + 1);
  for (const [i, row] of rows.entries()) picked[i + 1] = picked[i]! + starts[row + 1]! - starts[row]!;
  const into = new Uint8Array(picked[rows.length]!);
  for (const [i, row] of rows.entries()) into.set(bytes.subarray(starts[row], starts[row + 1]), picked[i]);
  return { bytes: into, starts: picked };
}
