// The questions beside traversals, as they are typed: nodes and edges by id, counts, a shortest path, common neighbours.
import type { AnyNode } from "../model/define/declaration.ts";
import type { EdgeDef, NodeDef } from "../model/define/element.ts";
import type { Properties, PropertyFields } from "../model/define/field.ts";
import type { QuestionTruncation } from "../model/questions.ts";
import type { HopDirection } from "../model/traversal.ts";
import type { Either, FieldsOf, Incoming, NameOf, Outgoing, Reached, SelectableOf } from "./reach.ts";
import type { NodeRow, WalkedRow } from "./rows.ts";
import type { Bounds, Filter } from "./rules.ts";
import type { AskOptions } from "./steps.ts";
import type { WalkedEdge } from "./walked-edge.ts";

/** Every edge type that the schema allows there and the caller may read. */
type Every = "*";

type Walkable<Here extends AnyNode, D extends HopDirection> =
  | Every
  | (D extends "in" ? Incoming<Here> : D extends "both" ? Either<Here> : Outgoing<Here>);

/** Which edges count. Without bounds in time, all that there are. */
export interface EdgesOptions<X, Far, D extends HopDirection> extends AskOptions, Pick<Bounds, "since" | "until"> {
  /** Of edge types without one of their own. */
  readonly direction?: D;
  readonly where?: Filter<FieldsOf<X>>;
  readonly whereNode?: Filter<FieldsOf<Far>>;
  /** Edges looked at, at most. */
  readonly budget?: { readonly scanned?: number };
}

export interface SelectOptions<S extends PropertyKey> extends AskOptions {
  readonly select?: readonly S[];
}

export interface CommonNeighboursOptions<X, Far, D extends HopDirection, S extends PropertyKey>
  extends EdgesOptions<X, Far, D>, Pick<Bounds, "latest" | "any"> {
  readonly select?: readonly S[];
  readonly selectNode?: readonly SelectableOf<Far>[];
}

export interface ShortestPathOptions<X, D extends HopDirection, S extends PropertyKey> extends EdgesOptions<
  X,
  Reached<X, "both">,
  D
> {
  /** Of these types; every type when missing. */
  readonly edges?: X | readonly X[];
  /** 6 when missing, at most 12. */
  readonly maxDepth?: number;
  /** Edges looked at per node, edge type and direction, the newest first. */
  readonly limit?: number;
  readonly select?: readonly S[];
  readonly selectNode?: readonly SelectableOf<Reached<X, "both">>[];
}

/** An edge by itself: its nodes by id. */
export interface LoneEdge<Name extends string, P> {
  readonly type: Name;
  readonly from: string;
  readonly to: string;
  readonly firstSeen: Date;
  readonly lastSeen: Date;
  readonly properties: P;
}

interface AsOf {
  /** Everything up to these positions was seen. */
  readonly asOf: readonly string[];
}

export interface Counted<Name extends string> {
  readonly id: string;
  readonly edge: Name;
  readonly direction: HopDirection;
  readonly count: number;
  /** There may be more: a budget or the deadline ended the count. */
  readonly atLeast?: true;
}

export interface PathFound<X, S extends PropertyKey> extends AsOf {
  readonly found: boolean;
  /** Number of edges; missing where none was found. */
  readonly length?: number;
  /** From one end to the other; empty where none was found. */
  readonly nodes: readonly NodeRow<Reached<X, "both">>[];
  /** `edges[i]` connects `nodes[i]` and `nodes[i + 1]`, whichever way it is directed. */
  readonly edges: readonly WalkedRow<X, S, never>[];
  /** With `found`: no path is shorter. Without: there is none of up to `maxDepth` edges. */
  readonly complete: boolean;
  readonly truncated?: QuestionTruncation;
}

export interface NeighboursFound<X, Far, S extends PropertyKey> extends AsOf {
  /** By the newest of their edges. */
  readonly nodes: readonly NodeRow<Far>[];
  /** Between them and the given nodes; of the latter the rows tell the ids only. */
  readonly edges: readonly WalkedRow<X, S, never>[];
  readonly complete: boolean;
  readonly truncated?: QuestionTruncation;
}

type EdgeNameOf<X> = X extends Every ? string : X extends WalkedEdge<infer E, HopDirection> ? NameOf<E> : NameOf<X>;

export interface Questions {
  /** Those of these nodes that are visible, in this order. */
  nodes<N extends string, F extends PropertyFields>(
    node: NodeDef<N, F>,
    ids: readonly string[],
    options?: SelectOptions<keyof F>,
  ): Promise<{ readonly nodes: readonly NodeRow<NodeDef<N, F>>[] } & AsOf>;
  /** Those of these edges that are visible, in this order; pairs of ids in the declared direction. */
  edges<N extends string, A extends AnyNode, B extends AnyNode, F extends PropertyFields, S extends keyof F = keyof F>(
    edge: EdgeDef<N, A, B, F>,
    pairs: readonly (readonly [from: string, to: string])[],
    options?: SelectOptions<S>,
  ): Promise<{ readonly edges: readonly LoneEdge<N, Pick<Properties<F>, S>>[] } & AsOf>;
  /** How many edges of each type each node has. */
  count<Here extends AnyNode, const X extends Walkable<Here, D>, D extends HopDirection = "out">(
    node: Here,
    ids: readonly string[],
    edges: X | readonly X[],
    options?: EdgesOptions<X, Reached<X, D, Here>, D>,
  ): Promise<{ readonly counts: readonly Counted<EdgeNameOf<X>>[] } & AsOf>;
  /** One of the shortest paths between two nodes, in any direction unless said. */
  shortestPath<
    A extends AnyNode,
    B extends AnyNode,
    const X extends Walkable<AnyNode, "both"> = Every,
    D extends HopDirection = "both",
    S extends SelectableOf<X> = SelectableOf<X>,
  >(
    from: readonly [node: A, id: string],
    to: readonly [node: B, id: string],
    options?: ShortestPathOptions<X, D, S>,
  ): Promise<PathFound<X, S>>;
  /** What two to ten nodes are all connected to. */
  commonNeighbours<
    Here extends AnyNode,
    const X extends Walkable<Here, D>,
    D extends HopDirection = "out",
    S extends SelectableOf<X> = SelectableOf<X>,
  >(
    node: Here,
    ids: readonly [string, string, ...string[]],
    edges: X | readonly X[],
    options?: CommonNeighboursOptions<X, Reached<X, D, Here>, D, S>,
  ): Promise<NeighboursFound<X, Reached<X, D, Here>, S>>;
}
