// What several nodes are all connected with. The neighbours of the node with the fewest edges are the candidates; each other node then keeps those that it has an
// edge to, by going through its own edges where they are few, else by looking for its edges to the candidates one by one. So a node with millions of edges
// costs no more than the smallest has edges.
import { compareCodePoints } from "../../model/avro/record-encoder.ts";
import { together } from "../siblings.ts";
import type { Branch } from "./branches.ts";
import { type Looking, EdgeProbe, isLate, lookAlong, lookAt } from "./looking.ts";
import { NodeTable } from "./node-table.ts";

/** Candidates are held in memory while the other nodes are asked. */
const candidatesMax = 250_000;
const degreeScanMax = 1_000;
/** Looking for one edge by its ends costs about as much as going through so many of a list: in this process, and where each is a call to elsewhere. */
const probeCostLocal = 8;
const probeCostRemote = 100;
const probesAtOnce = 50;
/** Candidates that are put in order at one stretch. */
const sortedAtOnce = 4_096;

export interface CommonQuestion {
  /** References of the nodes, all of one type; distinct. */
  readonly of: Int32Array;
  readonly branches: readonly Branch[];
  /** Nodes to answer. */
  readonly limit: number;
  readonly order: "latest" | "any";
}

export type CommonCut = "limit" | "scan" | "deadline" | "candidates";

/** A node that all are connected with. */
export interface Common {
  readonly type: number;
  readonly reference: number;
  /** The newest of the edges to it. */
  readonly newestMs: number;
}

/** One of the nodes asked about, and about how many edges it has. */
interface Asked {
  readonly reference: number;
  readonly degree: number;
  readonly exact: boolean;
}

export class CommonSearch {
  /** In order, at most as many as are to be answered. */
  found: Common[] = [];
  /** Why there may be more. */
  cut: CommonCut | undefined;
  readonly #looking: Looking;
  readonly #question: CommonQuestion;
  readonly #candidates = new NodeTable();
  #newestMs = new Float64Array(1_024);
  /** Per branch. */
  readonly #probes: readonly EdgeProbe[];

  constructor(looking: Looking, question: CommonQuestion) {
    this.#looking = looking;
    this.#question = question;
    this.#probes = question.branches.map((branch) => new EdgeProbe(looking, lookAlong(branch), branch.near, []));
  }

  async run(): Promise<void> {
    try {
      await this.#search();
    } catch (error) {
      if (!isLate(error)) throw error;
      this.#looking.spending.beLate();
      this.cut = "deadline";
    }
    await this.#keepFirst();
  }

  async #search(): Promise<void> {
    const asked = await this.#bySize();
    const [smallest, ...others] = asked;
    if (asked.some(({ degree, exact }) => exact && degree === 0)) return;
    await this.#gather(smallest!.reference, others.length);
    let left: readonly number[] = Array.from({ length: this.#candidates.count }, (_, number) => number);
    const probed: Asked[] = [];
    for (const [i, other] of others.entries()) {
      const kept = await this.#goThrough(other, left, others.length - i + probed.length);
      if (kept === undefined) probed.push(other);
      else left = kept;
    }
    await this.#probeAll(probed, left);
  }

  async #bySize(): Promise<Asked[]> {
    const { reader, spending, signal } = this.#looking;
    const { of, branches } = this.#question;
    const [degrees, exact] = [new Float64Array(of.length), new Array<boolean>(of.length).fill(true)];
    for (const { edge, direction } of branches) {
      const counted = await reader.degrees({ edge, direction, references: of, scanMax: degreeScanMax }, signal);
      for (const [i, degree] of counted.entries()) {
        degrees[i] = degrees[i]! + degree.count;
        exact[i] &&= degree.exact;
      }
      const pause = spending.tick(signal);
      if (pause) await pause;
    }
    const asked = Array.from(of, (reference, i): Asked => ({ reference, degree: degrees[i]!, exact: exact[i]! }));
    return asked.sort((a, b) => Number(b.exact) - Number(a.exact) || a.degree - b.degree);
  }

  /** The smallest node's neighbours; what is left of the budget must be enough to look for each of them at the other nodes. */
  async #gather(node: number, othersCount: number): Promise<void> {
    const { spending } = this.#looking;
    let scanMax = Math.ceil(spending.scannedLeft / 2);
    for (const branch of this.#question.branches) {
      const before = spending.scannedLeft;
      let ended = false;
      for await (const passed of lookAt(this.#looking, lookAlong(branch), Int32Array.of(node), {
        order: "latest",
        scanMax,
      })) {
        for (let i = 0; i < passed.count; i++) this.#add(branch.far, passed.neighbours[i]!, passed.lastSeenMs[i]!);
        ended = passed.end === "complete";
        if (ended) break;
        const { count } = this.#candidates;
        if (count >= candidatesMax) this.cut = "candidates";
        else if (count * this.#question.branches.length * othersCount >= spending.scannedLeft) this.cut = "scan";
        if (this.cut !== undefined) return;
      }
      if (!ended) {
        this.cut = spending.exhausted === "deadline" ? "deadline" : "scan";
        return;
      }
      scanMax = Math.max(0, scanMax - (before - spending.scannedLeft));
    }
  }

  #add(type: number, reference: number, lastSeenMs: number): void {
    const before = this.#candidates.count;
    const number = this.#candidates.add(type, reference);
    if (number < before) return this.#renew(number, lastSeenMs);
    if (number === this.#newestMs.length) {
      const larger = new Float64Array(number * 2);
      larger.set(this.#newestMs);
      this.#newestMs = larger;
    }
    this.#newestMs[number] = lastSeenMs;
  }

  #renew(number: number, lastSeenMs: number): void {
    this.#newestMs[number] = Math.max(this.#newestMs[number]!, lastSeenMs);
  }

  /** Which of the candidates are among the node's neighbours; undefined where it has too many to go through. */
  async #goThrough(
    { reference, degree, exact }: Asked,
    candidates: readonly number[],
    othersLeft: number,
  ): Promise<readonly number[] | undefined> {
    const { spending, capabilities } = this.#looking;
    const probes = candidates.length * this.#question.branches.length;
    const worth = probes * (capabilities.local === true ? probeCostLocal : probeCostRemote);
    // What looking for them one by one would take stays untouched.
    let scanMax = Math.min(worth, spending.scannedLeft - probes * othersLeft);
    if (scanMax <= 0 || (exact && degree > scanMax)) return undefined;
    const isNeighbour = new Uint8Array(this.#candidates.count);
    for (const branch of this.#question.branches) {
      const before = spending.scannedLeft;
      let ended = false;
      for await (const passed of lookAt(this.#looking, lookAlong(branch), Int32Array.of(reference), {
        order: "any",
        scanMax,
      })) {
        for (let i = 0; i < passed.count; i++) {
          const number = this.#candidates.find(branch.far, passed.neighbours[i]!);
          if (number < 0) continue;
          isNeighbour[number] = 1;
          this.#renew(number, passed.lastSeenMs[i]!);
        }
        ended = passed.end === "complete";
      }
      if (!ended) return undefined;
      scanMax = Math.max(0, scanMax - (before - spending.scannedLeft));
    }
    return candidates.filter((number) => isNeighbour[number] === 1);
  }

  /** Takes those candidates to which all of these nodes have an edge. */
  async #probeAll(others: readonly Asked[], candidates: readonly number[]): Promise<void> {
    const { spending, signal } = this.#looking;
    const { limit, order } = this.#question;
    for (let from = 0; from < candidates.length; from += probesAtOnce) {
      let some = candidates.slice(from, from + probesAtOnce);
      for (const { reference } of others) {
        const newest = await together(
          signal,
          some.map((candidate) => (within) => this.#newestEdge(reference, candidate, within)),
        );
        some = some.filter((candidate, i) => {
          const newestMs = newest[i];
          if (newestMs !== undefined) this.#renew(candidate, newestMs);
          return newestMs !== undefined;
        });
      }
      for (const candidate of some) this.#take(candidate);
      if (order === "any" && this.found.length > limit) return;
      if (this.found.length > limit + sortedAtOnce) await this.#keepFirst();
      const pause = spending.tick(signal);
      if (pause) await pause;
      const { exhausted } = spending;
      if (exhausted !== undefined && from + probesAtOnce < candidates.length) {
        this.cut = exhausted === "deadline" ? "deadline" : "scan";
        return;
      }
    }
  }

  async #newestEdge(node: number, candidate: number, signal: AbortSignal): Promise<number | undefined> {
    const [type, reference] = [this.#candidates.types[candidate]!, this.#candidates.references[candidate]!];
    let newest: number | undefined;
    for (const [i, branch] of this.#question.branches.entries()) {
      if (branch.far !== type) continue;
      const row = await this.#probes[i]!.find(node, reference, signal);
      if (row !== undefined) newest = Math.max(newest ?? -Infinity, row.lastSeenMs);
    }
    return newest;
  }

  #take(candidate: number): void {
    const { types, references } = this.#candidates;
    this.found.push({
      type: types[candidate]!,
      reference: references[candidate]!,
      newestMs: this.#newestMs[candidate]!,
    });
  }

  /** Newest first, no more than are to be answered. */
  async #keepFirst(): Promise<void> {
    const { reader, spending, signal } = this.#looking;
    const idOf = ({ type, reference }: Common): string => reader.id(type, reference);
    this.found.sort((a, b) => b.newestMs - a.newestMs || a.type - b.type || compareCodePoints(idOf(a), idOf(b)));
    if (this.found.length > this.#question.limit) {
      this.found.length = this.#question.limit;
      this.cut ??= "limit";
    }
    const pause = spending.tick(signal);
    if (pause) await pause;
  }
}
