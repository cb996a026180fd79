// Where each thing lies in a row: computed from the definition, and the format of the pages that checkpoints write.
//
//   double 0    words 0 and 1: a node's id (block in the id arena) and the number of edges that hold the node; an edge's from and to (rows of nodes)
//   double 1, 2 firstSeen, lastSeen in ms; +Infinity and -Infinity before the first upsert
//   doubles     per property: value (number), low and high word (int64, counter); own time (last, first)
//   words       per property: block of the value (bytes, set); a node's list heads, two words per edge type and direction; states, 2 bits per register and counter
//
// A free row has 0xffffffff in word 0 and the next free row + 1 in word 1. Times of removal are rare and lie beside the rows (rows.ts).
import type { EdgeModel, GraphModel, NodeModel, PropertyModel } from "../../model/definition.ts";
import { type PropertyForm, propertyFormOf } from "../../model/update/batch.ts";
import type { Direction } from "../port.ts";

/** Raised when rows, lists, arenas or tables change their form. */
export const layoutFormat = 1;

export const firstSeenAt = 1;
export const lastSeenAt = 2;
const headerDoubles = 3;

export interface PropertyLayout {
  readonly model: PropertyModel;
  readonly form: PropertyForm;
  /** The value: a double (number, int64, counter) or a word (bytes, set), counted from the row's begin. */
  readonly at: number;
  /** The double with the contribution's own time; -1 where the policy keeps none. */
  readonly timeAt: number;
  /** The word with the state, and its lowest bit; sets have none, their block tells. */
  readonly stateAt: number;
  readonly stateShift: number;
}

export interface RowLayout {
  readonly strideDoubles: number;
  readonly properties: readonly PropertyLayout[];
  /** First word of each list head of a node, in the order of `listsOf`. */
  readonly headsAt: readonly number[];
}

/** An adjacency list that nodes of a type have. */
export interface ListOfNode {
  readonly edge: number;
  readonly direction: Direction;
}

/** The lists of a node type, in the order of their heads. */
export function listsOf(model: GraphModel, node: NodeModel): readonly ListOfNode[] {
  return model.edges.flatMap(({ from, to }, edge) => [
    ...(from === node.name ? [{ edge, direction: "out" as const }] : []),
    ...(to === node.name ? [{ edge, direction: "in" as const }] : []),
  ]);
}

export function rowLayoutOf(model: NodeModel | EdgeModel, lists: number): RowLayout {
  let doubles = headerDoubles;
  const double = (): number => doubles++;
  const inDoubles = model.properties.map((property) => {
    const form = propertyFormOf(property);
    const at = form === "number" || form === "int64" || form === "counter" ? double() : -1;
    const timeAt = property.merge === "last" || property.merge === "first" ? double() : -1;
    return { model: property, form, at, timeAt };
  });
  let words = doubles * 2;
  const headsAt = Array.from({ length: lists }, (_, i) => words + 2 * i);
  words += 2 * lists;
  const inWords = inDoubles.map((slot) => (slot.at >= 0 ? slot : { ...slot, at: words++ }));
  let states = 0;
  const properties = inWords.map((slot) => {
    if (slot.form === "set") return { ...slot, stateAt: -1, stateShift: 0 };
    const bit = 2 * states++;
    return { ...slot, stateAt: words + (bit >>> 5), stateShift: bit & 31 };
  });
  words += Math.ceil(states / 16);
  return { strideDoubles: Math.ceil(words / 2), properties, headsAt };
}
