// What a hop is given to walk: an edge type as it is, or with a direction and a rule of its own.
import type { AnyEdge } from "../model/define/declaration.ts";
import type { HopDirection } from "../model/traversal.ts";

/** One edge type of a hop with several, its direction, and what is different for it. */
export interface WalkedEdge<E extends AnyEdge, D extends HopDirection> {
  readonly kind: "walkedEdge";
  readonly edge: E;
  readonly direction: D;
  readonly options: AnyRuleOptions;
}

/** The same where it says what is selected; for the compiler only. Never: it does not. */
export interface SelectingEdge<E extends AnyEdge, D extends HopDirection, S extends PropertyKey> extends WalkedEdge<
  E,
  D
> {
  readonly $selected?: S;
}

/** Bounds as they are at run time. */
export interface AnyBounds {
  readonly latest?: number;
  readonly any?: number;
  readonly since?: Date | string;
  readonly until?: Date | string;
}

/** Options as they are at run time, of any type of edges. */
export interface AnyRuleOptions extends AnyBounds {
  readonly where?: (row: never) => unknown;
  readonly whereNode?: (row: never) => unknown;
  readonly select?: readonly string[];
  readonly selectNode?: readonly string[];
}

export type AnyWalk = AnyEdge | WalkedEdge<AnyEdge, HopDirection>;

/** An edge type and the way it is walked. */
export interface Walk {
  readonly edge: AnyEdge;
  readonly direction: HopDirection;
}
