// The types of rows: nodes and edges by their declarations, times as Dates, int64 as bigint, bytes as Uint8Array.
import type { AnyEdge } from "../model/define/declaration.ts";
import type { EdgeDef, NodeDef } from "../model/define/element.ts";
import type { AnyAskedEnrichment } from "../model/define/enrichment.ts";
import type { Properties } from "../model/define/field.ts";
import type { HopDirection, JsonValue } from "../model/traversal.ts";
import type { EndId } from "./decode.ts";
import type { EnrichedBy } from "./enrichments.ts";
import type { SelectingEdge } from "./walked-edge.ts";

/** Where the declaration is not known: properties as JSON. */
export type JsonProperties = { readonly [name: string]: JsonValue };

/** A node of this type (of these types: told apart by `type`), with what these enrichments know of it. */
export type NodeRow<D, N extends AnyAskedEnrichment = never> =
  D extends NodeDef<infer Name, infer F>
    ? NodeRowOf<Name, Properties<F>> & EnrichedBy<D, N>
    : NodeRowOf<string, JsonProperties> & EnrichedBy<D, N>;

interface NodeRowOf<Name extends string, P> {
  readonly type: Name;
  readonly id: string;
  /** Missing where the node was never upserted, or is not visible any more. */
  readonly firstSeen?: Date;
  readonly lastSeen?: Date;
  readonly properties: P;
}

/** An edge of this type (of these types: told apart by `type`), with its nodes. */
export type EdgeRow<E, S extends PropertyKey = PropertyKey, N extends AnyAskedEnrichment = never> =
  E extends EdgeDef<infer Name, infer A, infer B, infer F>
    ? EdgeRowOf<Name, NodeRow<A, N>, NodeRow<B, N>, Pick<Properties<F>, Extract<keyof F, S>>>
    : EdgeRowOf<string, EndId, EndId, JsonProperties>;

interface EdgeRowOf<Name extends string, A, B, P> {
  readonly type: Name;
  /** The ends in the declared direction, whichever way the edge was walked. */
  readonly from: A;
  readonly to: B;
  readonly firstSeen: Date;
  readonly lastSeen: Date;
  readonly properties: P;
}

/** The rows of what a hop was given. A rule's own selection stands in place of the hop's. */
export type WalkedRow<X, S extends PropertyKey, N extends AnyAskedEnrichment> =
  X extends SelectingEdge<infer E extends AnyEdge, HopDirection, infer Own>
    ? EdgeRow<E, [Own] extends [never] ? S : Own, N>
    : EdgeRow<X, S, N>;
