// Adjacency heads: answering a read of the newest edges from one that is held, and gathering one from what the store streams.
import type { PropertyValue } from "../../model/filter.ts";
import type { AdjacencyBatch, AdjacencyCursor, AdjacencyRequest } from "../../store/port.ts";
import type { SharedHead } from "./entry-codec.ts";

/** Longer lists are held up to here. */
const headEdgesMax = 1_000;
const batchMax = 100;

export interface HeadAnswer {
  /** Rows [from, to) of the head. */
  readonly from: number;
  readonly to: number;
  readonly end: "limit" | "scan" | "complete";
  readonly cursor?: AdjacencyCursor;
}

/** Whether heads can answer such a read at all. */
export function readsHead({ order, where, records }: AdjacencyRequest): boolean {
  return order === "latest" && where === undefined && records.every(({ after }) => after === undefined);
}

/**
 * The answer, or undefined where the head does not reach far enough to know it. It says `limit` where exactly as many edges as asked for are held and the
 * store might know that there are no more; otherwise it says what the store would. `sinceMs` is the later one of the request's and of the edges' expiry.
 */
export function answerOf(head: SharedHead, request: AdjacencyRequest, sinceMs: number): HeadAnswer | undefined {
  const { limit, scanMax, untilMs = Infinity } = request;
  const { lastSeenMs, neighbours } = head;
  if (request.select.some((property) => !head.properties.has(property))) return undefined;
  const count = neighbours.length;
  let from = 0;
  while (from < count && lastSeenMs[from]! >= untilMs) from++;
  let to = from;
  while (to < count && lastSeenMs[to]! >= sinceMs && to - from < limit && to - from < scanMax) to++;
  const last = to > from ? { lastSeenMs: lastSeenMs[to - 1]!, neighbour: neighbours[to - 1]! } : undefined;
  const cut = (end: "limit" | "scan"): HeadAnswer => ({ from, to, end, ...(last && { cursor: last }) });
  if (to < count) {
    if (lastSeenMs[to]! < sinceMs) return { from, to, end: "complete" };
    return cut(to - from === limit ? "limit" : "scan");
  }
  if (head.complete && head.sinceMs <= sinceMs) return { from, to, end: "complete" };
  return to - from === limit ? cut("limit") : undefined;
}

/** The batches that tell the answer; `referenceOf` gives the reader's reference of a neighbour. */
export function* batchesOf(
  head: SharedHead,
  { from, to, end, cursor }: HeadAnswer,
  record: number,
  select: readonly number[],
  referenceOf: (id: string) => number,
): Generator<AdjacencyBatch> {
  for (let at = from; ; at += batchMax) {
    const stop = Math.min(to, at + batchMax);
    const batch = {
      record,
      count: stop - at,
      neighbours: Int32Array.from(head.neighbours.slice(at, stop), referenceOf),
      firstSeenMs: head.firstSeenMs.subarray(at, stop),
      lastSeenMs: head.lastSeenMs.subarray(at, stop),
      properties: select.map((property) => head.properties.get(property)!.slice(at, stop)),
      scanned: stop - at,
    };
    if (stop < to) {
      yield batch;
      continue;
    }
    yield cursor === undefined ? { ...batch, end } : { ...batch, end, cursor };
    return;
  }
}

/** Gathers the head of one record from the store's batches. */
export class HeadGathering {
  readonly #select: readonly number[];
  readonly #neighbours: string[] = [];
  readonly #firstSeenMs: number[] = [];
  readonly #lastSeenMs: number[] = [];
  readonly #properties: PropertyValue[][];

  constructor(select: readonly number[]) {
    this.#select = select;
    this.#properties = select.map(() => []);
  }

  add(batch: AdjacencyBatch, idOf: (row: number) => string): void {
    const taken = Math.min(batch.count, headEdgesMax + 1 - this.#neighbours.length);
    for (let i = 0; i < taken; i++) {
      this.#neighbours.push(idOf(i));
      this.#firstSeenMs.push(batch.firstSeenMs[i]!);
      this.#lastSeenMs.push(batch.lastSeenMs[i]!);
      for (const [column, values] of this.#properties.entries()) values.push(batch.properties[column]![i]);
    }
  }

  finish(end: "limit" | "scan" | "complete", sinceMs: number): SharedHead {
    const whole = this.#neighbours.length <= headEdgesMax;
    const kept = <T>(column: T[]): T[] => (whole ? column : column.slice(0, headEdgesMax));
    return {
      neighbours: kept(this.#neighbours),
      firstSeenMs: Float64Array.from(kept(this.#firstSeenMs)),
      lastSeenMs: Float64Array.from(kept(this.#lastSeenMs)),
      properties: new Map(this.#select.map((property, column) => [property, kept(this.#properties[column]!)])),
      sinceMs,
      complete: whole && end === "complete",
    };
  }
}
