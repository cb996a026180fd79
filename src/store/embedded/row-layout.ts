// Where each thing lies in a row: computed from the definition, and the format of the pages that checkpoints write.
//
//   double 0    words 0 and 1: a node's id (block in the id arena) and the number of edges that hold the node; an edge's from and to (rows of nodes)
//   double 1, 2 firstSeen, lastSeen in ms; +Infinity and -Infinity before the first upsert
//   words       states, 2 bits per register and counter; a node's list heads, two words per edge type and direction; per property: block of the value (bytes, set)
//   doubles     per property: value (number), low and high word (int64, counter); own time (last, first)
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

/** What is read of nearly every row comes first, so that it shares a cache line with the times. */
export function rowLayoutOf(model: NodeModel | EdgeModel, lists: number): RowLayout {
  const forms = model.properties.map(propertyFormOf);
  let words = headerDoubles * 2;
  const statesAt = words;
  words += Math.ceil(forms.filter((form) => form !== "set").length / 16);
  const headsAt = Array.from({ length: lists }, (_, i) => words + 2 * i);
  words += 2 * lists;
  const wordAt = forms.map((form) => (form === "bytes" || form === "set" ? words++ : -1));
  let doubles = Math.ceil(words / 2);
  let states = 0;
  const properties = model.properties.map((property, i): PropertyLayout => {
    const form = forms[i]!;
    const at = wordAt[i]! >= 0 ? wordAt[i]! : doubles++;
    const timeAt = property.merge === "last" || property.merge === "first" ? doubles++ : -1;
    if (form === "set") return { model: property, form, at, timeAt, stateAt: -1, stateShift: 0 };
    const bit = 2 * states++;
    return { model: property, form, at, timeAt, stateAt: statesAt + (bit >>> 5), stateShift: bit & 31 };
  });
  return { strideDoubles: doubles, properties, headsAt };
}
