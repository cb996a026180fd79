// A traversal as it is built, hop by hop: each hop is typed by the edges that it is given, and knows nothing of the rest of the graph.
import type { AnyEdge, AnyNode } from "../model/define/declaration.ts";
import type { AnyAskedEnrichment } from "../model/define/enrichment.ts";
import type {
  BudgetRequest,
  Condition,
  Explanation,
  HopDirection,
  HopSelection,
  TraverseRequest,
} from "../model/traversal.ts";
import type { Answer, AnyHop, HopNumber, HopOf, LastHop, RowsOf } from "./answer.ts";
import type { Anywhere, Either, FieldsOf, Incoming, Outgoing, Reached, SelectableOf } from "./reach.ts";
import type { Bounds, Filter, RuleOptions } from "./rules.ts";

export interface HopOptions<X, Far, S extends PropertyKey> extends RuleOptions<X, Far, S> {
  readonly repeat?: never;
}

/** Walks the hop again from what it reached. */
export interface Repeat<Far> {
  /** In all, at most what the server's limit of hops leaves. */
  readonly times: number;
  /** Nodes for which it holds are not walked from again, and then only they are what the next hop starts from. */
  readonly until?: Filter<FieldsOf<Far>>;
}

export interface RepeatedHopOptions<X, Far, S extends PropertyKey> extends RuleOptions<X, Far, S> {
  readonly repeat: Repeat<Far>;
}

/** Of a hop over whatever edges there are: conditions and selection in their JSON forms, as no declaration says what properties exist. */
export interface AnyHopOptions extends Bounds {
  readonly direction?: HopDirection;
  readonly where?: { readonly edge?: Condition; readonly node?: Condition };
  readonly select?: HopSelection;
  readonly repeat?: { readonly times: number; readonly until?: Condition };
}

export interface AskOptions {
  /** Ends the call, also its attempts to come. */
  readonly signal?: AbortSignal;
  /** For waiting and looking, on the server; the answer is what was found by then. */
  readonly timeoutMs?: number;
  /** Positions that `produce` returned: the answer has seen these events. */
  readonly waitFor?: readonly string[];
  /** False: the serving cache is neither read nor written. */
  readonly cache?: boolean;
}

export interface RunOptions extends AskOptions {
  /** For all hops, over the definition's defaults, under what a hop says itself. */
  readonly defaults?: Bounds;
  /** Narrower bounds than the server's. */
  readonly budget?: BudgetRequest;
  /** The answer's `explanation` tells the rules in effect and what each level cost. */
  readonly profile?: boolean;
}

export interface RowsOptions extends RunOptions {
  /**
   * Takes pages level by level while the server walks them, instead of whole: sooner there and less to hold. But a failure in the middle of a page ends the loop
   * instead of being tried again, and so does the server when the loop takes nothing for half a minute.
   */
  readonly stream?: boolean;
}

/** How to go on where an answer was cut. */
export interface ResumeOptions extends Omit<RunOptions, "defaults"> {}

export interface Steps<
  Here extends AnyNode,
  Hops extends readonly AnyHop[],
  Start extends AnyNode = Here,
  N extends AnyAskedEnrichment = never,
> {
  /** Along edges: of one type, or of several at once, each as it is or with its own rule (`outward`, `inward`, `eitherWay`). */
  out<const X extends Anywhere, S extends SelectableOf<X> = SelectableOf<X>>(
    edges: X | readonly X[],
    options: RepeatedHopOptions<X, Reached<X, "out">, S>,
  ): Steps<Reached<X, "out">, [...Hops, HopOf<X, S, Reached<X, "out">>], Start, N>;
  out<const X extends Outgoing<Here>, S extends SelectableOf<X> = SelectableOf<X>>(
    edges: X | readonly X[],
    options?: HopOptions<X, Reached<X, "out", Here>, S>,
  ): Steps<Reached<X, "out", Here>, [...Hops, HopOf<X, S, Reached<X, "out", Here>>], Start, N>;

  /** Against edges. */
  in<const X extends Anywhere, S extends SelectableOf<X> = SelectableOf<X>>(
    edges: X | readonly X[],
    options: RepeatedHopOptions<X, Reached<X, "in">, S>,
  ): Steps<Reached<X, "in">, [...Hops, HopOf<X, S, Reached<X, "in">>], Start, N>;
  in<const X extends Incoming<Here>, S extends SelectableOf<X> = SelectableOf<X>>(
    edges: X | readonly X[],
    options?: HopOptions<X, Reached<X, "in", Here>, S>,
  ): Steps<Reached<X, "in", Here>, [...Hops, HopOf<X, S, Reached<X, "in", Here>>], Start, N>;

  /** Both ways, where both are possible. */
  both<const X extends Anywhere, S extends SelectableOf<X> = SelectableOf<X>>(
    edges: X | readonly X[],
    options: RepeatedHopOptions<X, Reached<X, "both">, S>,
  ): Steps<Reached<X, "both">, [...Hops, HopOf<X, S, Reached<X, "both">>], Start, N>;
  both<const X extends Either<Here>, S extends SelectableOf<X> = SelectableOf<X>>(
    edges: X | readonly X[],
    options?: HopOptions<X, Reached<X, "both", Here>, S>,
  ): Steps<Reached<X, "both", Here>, [...Hops, HopOf<X, S, Reached<X, "both", Here>>], Start, N>;

  /**
   * Over every edge type that the schema allows from here and the caller may read; both ways unless said. Rows have properties as JSON: `typed` makes rows of a
   * declaration of them.
   */
  any(options?: AnyHopOptions): Steps<AnyNode, [...Hops, HopOf<AnyEdge, string, AnyNode>], Start, N>;

  /** All nodes of the answer get what these enrichments of the definition know of them. */
  enrich<const E extends AnyAskedEnrichment>(...enrichments: readonly E[]): Steps<Here, Hops, Start, N | E>;

  /** The request as JSON. */
  request(options?: RunOptions): TraverseRequest;
  run(options?: RunOptions): Promise<Answer<Here, Hops, Start, N>>;
  /**
   * Every edge of a hop, the last one unless said: pages through all continuations, reading no further than is asked for. Hops behind it are left out. An edge
   * comes once; for that, the keys of all edges so far are remembered, unless it is the first hop in one direction.
   * @throws RdgError invalid, `not_continuable`, behind the rows that there are; `too_many_rows`, behind the first 2,000,000
   */
  rows<I extends HopNumber<Hops> = LastHop<Hops>>(hop?: I, options?: RowsOptions): AsyncIterable<RowsOf<Hops, I, N>>;
  /** Goes on where an earlier answer of the same steps was cut: `truncated[i].next`, in this process or another. */
  resume(next: string, options?: ResumeOptions): Promise<Answer<Here, Hops, Start, N>>;
  /** The rules in effect, where they come from, and what the schema rules out. Reads nothing of the graph. */
  explain(options?: RunOptions): Promise<Explanation>;
}
