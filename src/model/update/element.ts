// The algebra of updates on plain objects: what is known about one node or edge, and how two such states merge. Written for the reader, not for speed:
// windows, batches and stores hold the same state in columns and rows and are tested against this and against oracle.ts.
//
// Laws (docs/SEMANTICS.md, section 1), counters aside: merging is associative, commutative and idempotent. Where that text leaves a choice:
//  - a `last` or `first` contribution that is null is a value: at equal times `last` prefers any value to null, `first` prefers null;
//  - null is the smallest value: a contributed null is the `min`, and the `max` only when nothing else was contributed;
//  - a null item is an item of a `union`;
//  - the state is kept whole: a removal erases nothing, it hides (oracle.ts, `visibleElement`), so a late older update still merges to the same state.
import type { PropertyModel } from "../definition.ts";
import type { PropertyValue } from "../filter.ts";
import { compareBytes, encodeValue } from "./encoded-value.ts";
import { canonicalInt64 } from "./int64.ts";

export type ElementKey =
  | { readonly kind: "node"; readonly type: string; readonly id: string }
  | { readonly kind: "edge"; readonly type: string; readonly from: string; readonly to: string };

/** One update as a job emits it. For `union` a contribution is a list of items; for `sum` an int64 to add. Undefined contributes nothing. */
export type Update = ElementKey & { readonly timeMs: number } & (
    | { readonly operation: "upsert"; readonly properties: Readonly<Record<string, PropertyValue>> }
    | { readonly operation: "remove" }
  );

/** What is known about one property: the winning value with its time (`last`, `first`), the extreme (`min`, `max`), the total (`sum`), or the set. */
export interface PropertyState {
  /** For `union` the items in encoded order, distinct. Opaque values are their Avro bytes. */
  readonly value: PropertyValue;
  /** Event time of the winning contribution: `last` and `first` only. */
  readonly timeMs?: number;
  /** True when items beyond `unionMax` were left out. */
  readonly cut?: boolean;
}

/** The merged state of one element. Times are missing when there was no upsert, or no removal. A property that nothing contributed to is missing. */
export interface Element {
  readonly firstSeenMs?: number;
  readonly lastSeenMs?: number;
  readonly removedAtMs?: number;
  /** By property name; without prototype. */
  readonly properties: Readonly<Record<string, PropertyState>>;
}

export const unionMaxDefault = 256;

/** The state that knows what both know. */
export function mergeElements(properties: readonly PropertyModel[], a: Element, b: Element): Element {
  const merged: Record<string, PropertyState> = Object.create(null);
  for (const property of properties) {
    const state = mergeStates(property, a.properties[property.name], b.properties[property.name]);
    if (state !== undefined) merged[property.name] = state;
  }
  return {
    ...time("firstSeenMs", Math.min(a.firstSeenMs ?? Infinity, b.firstSeenMs ?? Infinity)),
    ...time("lastSeenMs", Math.max(a.lastSeenMs ?? -Infinity, b.lastSeenMs ?? -Infinity)),
    ...time("removedAtMs", Math.max(a.removedAtMs ?? -Infinity, b.removedAtMs ?? -Infinity)),
    properties: merged,
  };
}

function time(
  name: "firstSeenMs" | "lastSeenMs" | "removedAtMs",
  timeMs: number,
): { readonly [n in typeof name]?: number } {
  return Number.isFinite(timeMs) ? { [name]: timeMs } : {};
}

function mergeStates(
  property: PropertyModel,
  a: PropertyState | undefined,
  b: PropertyState | undefined,
): PropertyState | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const order = (): number => compareBytes(encodeValue(property.type, a.value), encodeValue(property.type, b.value));
  switch (property.merge) {
    case "last":
      return (a.timeMs! - b.timeMs! || order()) >= 0 ? a : b;
    case "first":
      return (a.timeMs! - b.timeMs! || order()) <= 0 ? a : b;
    case "max":
      return order() >= 0 ? a : b;
    case "min":
      return order() <= 0 ? a : b;
    case "sum":
      return { value: canonicalInt64(BigInt(a.value as number | bigint) + BigInt(b.value as number | bigint)) };
    case "union": {
      const union = setOf(property, [...(a.value as PropertyValue[]), ...(b.value as PropertyValue[])]);
      return a.cut === true || b.cut === true ? { ...union, cut: true } : union;
    }
  }
}

/** The items as a set: sorted by encoded value, distinct, the smallest `unionMax` of them. */
export function setOf(property: PropertyModel, items: readonly PropertyValue[]): PropertyState {
  const sorted = items
    .map((item) => ({ item, encoded: encodeValue(property.type, item) }))
    .sort((a, b) => compareBytes(a.encoded, b.encoded))
    .filter(({ encoded }, i, all) => i === 0 || compareBytes(encoded, all[i - 1]!.encoded) !== 0)
    .map(({ item }) => item);
  const max = property.unionMax ?? unionMaxDefault;
  return sorted.length > max ? { value: sorted.slice(0, max), cut: true } : { value: sorted };
}
