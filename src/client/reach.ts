// Which edges a hop can follow from where it stands, and where they lead: types only. They distribute over unions, so several types at once are exact, too.
import type { AnyEdge, AnyNode } from "../model/define/declaration.ts";
import type { NoProperties } from "../model/define/element.ts";
import type { PropertyFields } from "../model/define/field.ts";
import type { HopDirection } from "../model/traversal.ts";
import type { WalkedEdge } from "./walked-edge.ts";

/** An edge type between these types of nodes. */
export interface EdgeOf<A extends AnyNode = AnyNode, B extends AnyNode = AnyNode> extends AnyEdge {
  readonly from: A;
  readonly to: B;
  readonly properties: PropertyFields;
}

type Touching<Here extends AnyNode> = EdgeOf<Here> | EdgeOf<AnyNode, Here>;

/** With a rule: in the direction that it says, which is independent of the hop's. */
type RuledFrom<Here extends AnyNode> =
  | WalkedEdge<EdgeOf<Here>, "out">
  | WalkedEdge<EdgeOf<AnyNode, Here>, "in">
  | WalkedEdge<Touching<Here>, "both">;

export type Outgoing<Here extends AnyNode> = EdgeOf<Here> | RuledFrom<Here>;
export type Incoming<Here extends AnyNode> = EdgeOf<AnyNode, Here> | RuledFrom<Here>;
export type Either<Here extends AnyNode> = Touching<Here> | RuledFrom<Here>;
/** In a repeated hop: also edges that only later repetitions can follow. */
export type Anywhere = EdgeOf | WalkedEdge<EdgeOf, HopDirection>;

/** The fields of a node or edge declaration, or of what an edge is walked by. */
export type FieldsOf<D> = D extends { readonly properties: infer F extends PropertyFields }
  ? F
  : D extends WalkedEdge<infer E, HopDirection>
    ? FieldsOf<E>
    : NoProperties;

export type SelectableOf<X> = X extends unknown ? keyof FieldsOf<X> : never;

/** Where an edge leads to; both ways: away from `Here`, unless that is not known. */
export type FarEnd<E extends AnyEdge, D extends HopDirection, Here = AnyNode> = E extends unknown
  ? D extends "out"
    ? E["to"]
    : D extends "in"
      ? E["from"]
      : (E["from"] extends Here ? E["to"] : never) | (E["to"] extends Here ? E["from"] : never)
  : never;

/** Where a hop leads to, by what it was given and its own direction. */
export type Reached<X, D extends HopDirection, Here = AnyNode> =
  X extends WalkedEdge<infer E, infer Own>
    ? FarEnd<E, Own, Here>
    : X extends AnyEdge
      ? FarEnd<X, D, Here>
      : X extends "*"
        ? AnyNode
        : never;

export type NameOf<D> = D extends { readonly name: infer N extends string } ? N : never;
