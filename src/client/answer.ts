// Answers of traversals: levels of nodes, hops of edges, and what was cut.
import type { AnyNode } from "../model/define/declaration.ts";
import type { AnyAskedEnrichment } from "../model/define/enrichment.ts";
import type { EnrichmentAnswer, Explanation, TraversalTimings, TruncationCause } from "../model/traversal.ts";
import type { NodeRow, WalkedRow } from "./rows.ts";

/** What the compiler knows of a hop: what it walks, what is selected of its edges, where it leads to. */
export interface HopOf<X, S extends PropertyKey, Far> {
  readonly $walked: X;
  readonly $selected: S;
  readonly $reached: Far;
}

export type AnyHop = HopOf<unknown, PropertyKey, AnyNode>;

export type HopNumber<Hops extends readonly unknown[]> = Exclude<Partial<Hops>["length"], Hops["length"] | undefined>;
export type LastHop<Hops extends readonly unknown[]> = Hops extends readonly [unknown, ...infer Before]
  ? Extract<Before["length"], HopNumber<Hops>>
  : never;
type LevelNumber<Hops extends readonly unknown[]> = Exclude<Partial<Hops>["length"], undefined>;

export type RowsOf<Hops extends readonly AnyHop[], I, N extends AnyAskedEnrichment> =
  Hops[I & keyof Hops] extends HopOf<infer X, infer S, unknown> ? WalkedRow<X, S, N> : never;

type LevelType<Hops extends readonly AnyHop[], I, Start> = I extends 0
  ? Start
  : [Start, ...ReachedBy<Hops>][I & number];
type ReachedBy<Hops extends readonly AnyHop[]> = { readonly [K in keyof Hops]: Hops[K]["$reached"] };

/** Edges of a hop that are not all there. */
export interface Cut {
  readonly hop: number;
  /** From 1, of a repeated hop. */
  readonly repetition?: number;
  readonly cause: TruncationCause;
  /** Nodes of the frontier whose edges are not all there. */
  readonly nodes: number;
  /** For `resume`; missing where it cannot be continued, and then `reason` says why. */
  readonly next?: string;
  readonly reason?: string;
}

export interface Answer<
  Last extends AnyNode,
  Hops extends readonly AnyHop[],
  Start extends AnyNode = AnyNode,
  N extends AnyAskedEnrichment = never,
> {
  /** Whether everything that was asked for is here. */
  readonly complete: boolean;
  /** What is not. */
  readonly truncated: readonly Cut[];
  /** What the last hop reached; without hops, the starts that exist. */
  readonly nodes: readonly NodeRow<Last, N>[];
  /** Everything up to these positions was seen. */
  readonly asOf: readonly string[];
  readonly timings: TraversalTimings;
  /** How each enrichment that was asked for went. */
  readonly enrichments: readonly EnrichmentAnswer[];
  /** With `profile`. */
  readonly explanation?: Explanation;
  /** The edges of a hop, from 0; of a repeated hop those of all repetitions, or of one, from 1. */
  edges<I extends HopNumber<Hops>>(hop: I, repetition?: number): readonly RowsOf<Hops, I, N>[];
  /** The nodes of a level: 0 holds the starts that exist, i + 1 what hop i reached. */
  level<I extends LevelNumber<Hops>>(level: I, repetition?: number): readonly NodeRow<LevelType<Hops, I, Start>, N>[];
  /** What limits cut off this answer, as far as the next limits allow. @throws RdgError invalid, `not_continuable` */
  more(): Promise<Answer<Last, Hops, Start, N>>;
}
