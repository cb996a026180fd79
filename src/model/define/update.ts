// What `upsert`, `remove`, `each` and `when` give: an update that is not yet anything but its arguments. A job's `emit` makes a plan of it, `map` a concrete update.
import type { Symbolic } from "./symbolic.ts";

declare const update: unique symbol;
/** An update, or several. Give it back from `emit` or `map`; nothing else can be done with it. */
export interface Update {
  readonly [update]: true;
}
export type Updates = readonly (Update | Updates)[];

/** An update as data. `of` is the declaration of the node or edge; ids and properties are whatever was given: expressions or values. */
export type UpdateData =
  | {
      readonly kind: "upsertNode" | "removeNode";
      readonly of: object;
      readonly id: unknown;
      readonly properties: unknown;
    }
  | {
      readonly kind: "upsertEdge" | "removeEdge";
      readonly of: object;
      readonly from: unknown;
      readonly to: unknown;
      readonly properties: unknown;
    }
  /** `item` stands for the items in the expressions of `updates`. */
  | { readonly kind: "each"; readonly array: Symbolic; readonly item: object; readonly updates: readonly UpdateData[] }
  | { readonly kind: "when"; readonly condition: Symbolic; readonly updates: readonly UpdateData[] };

const updateKey = Symbol.for("rdg.update/1");

export function makeUpdate(data: UpdateData): Update {
  return Object.freeze({ [updateKey]: data }) as unknown as Update;
}

/** Undefined when the value is no update. */
export function updateData(value: unknown): UpdateData | undefined {
  return typeof value === "object" && value !== null ? (value as { [updateKey]?: UpdateData })[updateKey] : undefined;
}
