// A job's plan as data: expressions, filters, enrichment and emitted updates. Engines compile it (to JavaScript, to SQL); a naive interpreter defines it.
//
// Values: an expression has a value, is null (only the literal null, and what passes it on: orElse, choose), or is absent. A function of an
// absent or null argument is absent; a comparison with one is false; a predicate is always true or false. A property whose expression
// is absent gets no contribution; one whose expression is null gets an explicit null. docs/SEMANTICS.md, section 10, gives every function's meaning.
import type { ScalarType, ValueType } from "./value-type.ts";

/** Where a field is read: the event, the row of a side input (by its alias in `enrich`), or the item of the enclosing `each` (0 = innermost). */
export type FieldScope =
  | { readonly kind: "event" }
  | { readonly kind: "side"; readonly alias: string }
  | { readonly kind: "item"; readonly depth: number };

/** Literal values are JSON: int64 as a decimal string, timestamp in ms, bytes as base64. */
export type Expression =
  | { readonly kind: "field"; readonly scope: FieldScope; readonly path: readonly string[]; readonly type: ValueType }
  | { readonly kind: "literal"; readonly value: string | number | boolean; readonly type: ScalarType }
  | { readonly kind: "null"; readonly type: ValueType }
  | {
      readonly kind: "call";
      readonly function: FunctionName;
      readonly args: readonly Expression[];
      readonly type: ValueType;
    };

/**
 * Every function of the language, with its arguments and result:
 * - isPresent(x), isAbsent(x): boolean; null counts as present
 * - equals(x, y), gt, gte, lt, lte (x, y): boolean; strings and bytes bytewise, enums as declared; in(x, ...literals)
 * - and(...), or(...), not(p)
 * - add, subtract, multiply (x, y): int64 wrapping (int32 arguments are widened), or double; a double result that is not finite is absent
 * - div, rem (x, y): int64, truncating; divide(x, y): double; by zero: absent
 * - floor, ceil (double): double; toInt64(double): truncates, absent when out of range; toDouble(int); toText(int): decimal
 * - concat(...strings), lower, upper, length (code points: int64), substring(s, start, length?) in code points, start from 0 and negative as 0
 * - startsWith(s, t), endsWith(s, t), contains(s, t): boolean
 * - split(s, literal separator): array of strings; "" gives []
 * - hash(s): sha256 of the UTF-8 as lower-case hex
 * - truncate(timestamp, literal unit: second | minute | hour | day | week), plus(timestamp, int64 ms): timestamp; toMillis(timestamp): int64; fromMillis(int64): timestamp
 * - orElse(x, y): x unless absent or null, else y; choose(p, x, y?): y absent when not given
 * - mapEnum(x, literal from, literal to, ...): the first `to` whose `from` equals x, else absent
 */
export type FunctionName =
  | "isPresent"
  | "isAbsent"
  | "equals"
  | "in"
  | "gt"
  | "gte"
  | "lt"
  | "lte"
  | "and"
  | "or"
  | "not"
  | "add"
  | "subtract"
  | "multiply"
  | "div"
  | "rem"
  | "divide"
  | "floor"
  | "ceil"
  | "toInt64"
  | "toDouble"
  | "toText"
  | "concat"
  | "lower"
  | "upper"
  | "length"
  | "substring"
  | "startsWith"
  | "endsWith"
  | "contains"
  | "split"
  | "hash"
  | "truncate"
  | "plus"
  | "toMillis"
  | "fromMillis"
  | "orElse"
  | "choose"
  | "mapEnum";

/** Steps run in order; a record that a `where` refuses counts as filtered. */
export type PlanStep =
  | { readonly kind: "where"; readonly condition: Expression }
  | { readonly kind: "enrich"; readonly alias: string; readonly input: string; readonly key: Expression };

export interface Contribution {
  readonly property: string;
  /** For `union` an item of the set or an array of items; for `sum` an int64 to add. */
  readonly value: Expression;
}

/** An update whose id (`id`, `from` or `to`) is absent, null or empty is skipped and counted; one whose id is longer than 1 KiB sends its event to the quarantine. */
export type Emit =
  | {
      readonly kind: "upsertNode";
      readonly type: string;
      readonly id: Expression;
      readonly properties: readonly Contribution[];
    }
  | { readonly kind: "removeNode"; readonly type: string; readonly id: Expression }
  | {
      readonly kind: "upsertEdge";
      readonly type: string;
      readonly from: Expression;
      readonly to: Expression;
      readonly properties: readonly Contribution[];
    }
  | { readonly kind: "removeEdge"; readonly type: string; readonly from: Expression; readonly to: Expression }
  /** Emits once per item of the array, in order; absent and null items are passed over. */
  | { readonly kind: "each"; readonly array: Expression; readonly emit: readonly Emit[] }
  | { readonly kind: "when"; readonly condition: Expression; readonly emit: readonly Emit[] };
