// The types of expressions: what callbacks of a job work with. The objects behind them are made in operators.ts; names are those of plan.ts.
//
// A call on an absent or null value is absent; a comparison with one is false (docs/SEMANTICS.md, section 10).
import type { AnyField, Field, Fields } from "./field.ts";
import type { Update, Updates } from "./update.ts";

/** Anything with a value of type T: an expression. `$value` is for the compiler only. */
export interface Valued<T> {
  readonly $value: T;
}

export interface Expr<T> extends Valued<T> {
  /** Null counts as present. */
  isPresent(): Predicate;
  isAbsent(): Predicate;
}

type Operand<T> = NonNullable<T> | Valued<NonNullable<T> | undefined>;

interface ComparableExpr<T, O = Operand<T>> extends Expr<T> {
  equals(other: O): Predicate;
  gt(other: O): Predicate;
  gte(other: O): Predicate;
  lt(other: O): Predicate;
  lte(other: O): Predicate;
}

/** Texts and enums. Texts are compared and cut by code points; enums are ordered as declared. */
export interface StringExpr<T> extends ComparableExpr<T> {
  in(...values: NonNullable<T>[]): Predicate;
  /** This value unless it is absent or null, else the other. */
  orElse<const U extends string>(other: U | Valued<U> | Valued<U | undefined>): StringExpr<NonNullable<T> | U>;
  orElse(other: null): StringExpr<T | null>;
  concat(...parts: Operand<string>[]): StringExpr<T extends string ? string : string | undefined>;
  lower(): StringExpr<T extends string ? string : string | undefined>;
  upper(): StringExpr<T extends string ? string : string | undefined>;
  /** In code points. */
  length(): IntegerExpr<bigint | undefined>;
  /** Start (from 0) and length in code points. */
  substring(start: IntegerOperand, length?: IntegerOperand): StringExpr<string | undefined>;
  startsWith(other: Operand<string>): Predicate;
  endsWith(other: Operand<string>): Predicate;
  contains(other: Operand<string>): Predicate;
  split(separator: string): ArrayExpr<readonly string[] | undefined, Field<string, "string">>;
  /** SHA-256 of the UTF-8 as 64 hexadecimal digits. */
  hash(): StringExpr<string | undefined>;
  /** The text that stands for this value in the table, else absent. */
  mapEnum<const V extends string>(table: { readonly [K in NonNullable<T> & string]?: V }): StringExpr<V | undefined>;
}

type IntegerOperand = number | bigint | IntegerExpr<number | bigint | undefined>;
type DoubleOperand = number | DoubleExpr<number | undefined> | IntegerExpr<number | undefined>;

/** int32 and int64. Results are int64 and wrap; `div` and `rem` truncate towards zero and are absent for a zero divisor. */
export interface IntegerExpr<T> extends ComparableExpr<T, IntegerOperand> {
  in(...values: (number | bigint)[]): Predicate;
  orElse(other: IntegerOperand): IntegerExpr<NonNullable<T>>;
  orElse(other: null): IntegerExpr<T | null>;
  add(other: IntegerOperand): IntegerExpr<bigint | undefined>;
  subtract(other: IntegerOperand): IntegerExpr<bigint | undefined>;
  multiply(other: IntegerOperand): IntegerExpr<bigint | undefined>;
  div(other: IntegerOperand): IntegerExpr<bigint | undefined>;
  rem(other: IntegerOperand): IntegerExpr<bigint | undefined>;
  /** As doubles. */
  divide(other: IntegerOperand | DoubleOperand): DoubleExpr<number | undefined>;
  toDouble(): DoubleExpr<T extends undefined ? undefined : number>;
  toText(): StringExpr<string | undefined>;
  /** The timestamp that is this many milliseconds after the epoch. */
  fromMillis(): TimeExpr<Date | undefined>;
}

export interface DoubleExpr<T> extends ComparableExpr<T, DoubleOperand> {
  in(...values: number[]): Predicate;
  orElse(other: DoubleOperand): DoubleExpr<NonNullable<T>>;
  orElse(other: null): DoubleExpr<T | null>;
  add(other: DoubleOperand): DoubleExpr<number | undefined>;
  subtract(other: DoubleOperand): DoubleExpr<number | undefined>;
  multiply(other: DoubleOperand): DoubleExpr<number | undefined>;
  divide(other: DoubleOperand): DoubleExpr<number | undefined>;
  floor(): DoubleExpr<number | undefined>;
  ceil(): DoubleExpr<number | undefined>;
  /** Truncated; absent out of range. */
  toInt64(): IntegerExpr<bigint | undefined>;
}

export interface TimeExpr<T> extends ComparableExpr<T> {
  in(...values: Date[]): Predicate;
  orElse(other: Operand<Date>): TimeExpr<NonNullable<T>>;
  orElse(other: null): TimeExpr<T | null>;
  /** The start of the unit that holds it, in UTC; weeks begin on Monday. */
  truncate(unit: "second" | "minute" | "hour" | "day" | "week"): TimeExpr<Date | undefined>;
  plus(milliseconds: IntegerOperand): TimeExpr<Date | undefined>;
  toMillis(): IntegerExpr<bigint | undefined>;
}

/** A boolean value or a condition; as a condition, absent and null are false. */
export interface BooleanExpr<T> extends ComparableExpr<T> {
  orElse(other: Operand<boolean>): BooleanExpr<boolean>;
  orElse(other: null): BooleanExpr<T | null>;
  and(...conditions: Condition[]): Predicate;
  or(...conditions: Condition[]): Predicate;
  not(): Predicate;
}
export type Predicate = BooleanExpr<boolean>;
export type Condition = BooleanExpr<boolean | null | undefined>;

export interface BytesExpr<T> extends ComparableExpr<T> {
  orElse(other: Operand<Uint8Array>): BytesExpr<NonNullable<T>>;
}

export interface ArrayExpr<T, Item> extends Expr<T> {
  /** Emits for each item, in order. */
  each(emit: (item: Item extends AnyField ? ExprOf<Item> : never) => Updates): Update;
}

/** A set in a filter of a traversal: holds when one of its items does. */
export interface SetExpr<T, Item> extends Expr<T> {
  equals(item: Item extends AnyField ? Item["$input"] : never): Predicate;
  in(...items: (Item extends AnyField ? Item["$input"] : never)[]): Predicate;
}

/** A record: its fields as properties; `isPresent` and `isAbsent` unless a field has that name. */
export type RecordExpr<T, Shape> = Valued<T> &
  (Shape extends Fields ? Row<Shape, Extract<T, undefined>> & Omit<Expr<T>, keyof Shape | "$value"> : Expr<T>);

interface ExprKinds<T, Shape> {
  string: StringExpr<T>;
  enum: StringExpr<T>;
  int32: IntegerExpr<T>;
  int64: IntegerExpr<T>;
  counter: IntegerExpr<T>;
  double: DoubleExpr<T>;
  boolean: BooleanExpr<T>;
  timestamp: TimeExpr<T>;
  bytes: BytesExpr<T>;
  array: ArrayExpr<T, Shape>;
  set: SetExpr<T, Shape>;
  map: Expr<T>;
  record: RecordExpr<T, Shape>;
}

/** The expression for a field; `Absent` is undefined where the whole row may be missing. */
export type ExprOf<F extends AnyField, Absent = never> = ExprKinds<
  F["$optional"] extends true ? F["$type"] | undefined : F["$type"] | Absent,
  F["$shape"]
>[F["$kind"]];

/** The fields of an event as expressions. */
export type Row<F extends Fields, Absent = never> = { readonly [K in keyof F]: ExprOf<F[K], Absent> };

/** A literal as an expression; a number may be used as an integer or a double. */
export type Lifted<V> =
  V extends Valued<unknown>
    ? V
    : V extends string
      ? StringExpr<V>
      : V extends bigint
        ? IntegerExpr<bigint>
        : V extends number
          ? IntegerExpr<number> & DoubleExpr<number>
          : V extends boolean
            ? BooleanExpr<boolean>
            : V extends Date
              ? TimeExpr<Date>
              : V extends Uint8Array
                ? BytesExpr<Uint8Array>
                : Valued<null>;

/** The same expression, but it may be absent. */
export type OrAbsent<E> =
  E extends StringExpr<infer T>
    ? StringExpr<T | undefined>
    : E extends IntegerExpr<infer T> & DoubleExpr<infer U>
      ? IntegerExpr<T | undefined> & DoubleExpr<U | undefined>
      : E extends IntegerExpr<infer T>
        ? IntegerExpr<T | undefined>
        : E extends DoubleExpr<infer T>
          ? DoubleExpr<T | undefined>
          : E extends TimeExpr<infer T>
            ? TimeExpr<T | undefined>
            : E extends BooleanExpr<infer T>
              ? BooleanExpr<T | undefined>
              : E extends BytesExpr<infer T>
                ? BytesExpr<T | undefined>
                : E extends ArrayExpr<infer T, infer Item>
                  ? ArrayExpr<T | undefined, Item>
                  : E extends Valued<infer T>
                    ? Valued<T | undefined>
                    : never;

export type Literal = string | number | bigint | boolean | Date | Uint8Array | null;

/** Who the update is about: a text, or an expression for one. An update whose id is absent, null or empty is skipped. */
export type Id = string | Valued<string | null | undefined>;

type ContributedItem<Item> = Item extends AnyField
  ? ContributionKinds<Item["$type"], Item["$shape"]>[Item["$kind"]] | readonly Item["$input"][]
  : never;
interface ContributionKinds<T, Shape> {
  string: T | Valued<T | null | undefined>;
  enum: T | Valued<T | null | undefined>;
  int32: number | IntegerExpr<number | null | undefined>;
  int64: IntegerOperand | IntegerExpr<number | bigint | null | undefined>;
  counter: IntegerOperand;
  double: number | DoubleExpr<number | null | undefined> | IntegerExpr<number | null | undefined>;
  boolean: boolean | Valued<boolean | null | undefined>;
  timestamp: Date | Valued<Date | null | undefined>;
  bytes: Uint8Array | Valued<Uint8Array | null | undefined>;
  array: T | Valued<T | null | undefined>;
  map: T | Valued<T | null | undefined>;
  record: T | Valued<T | null | undefined>;
  set: ContributedItem<Shape> | Valued<T | undefined>;
}

/** What an update says about properties: absent (undefined) says nothing, null is a value. A set takes an item or an array of items. */
export type Contributions<F extends Fields> = {
  readonly [K in keyof F]?: ContributionKinds<F[K]["$type"], F[K]["$shape"]>[F[K]["$kind"]] | null | undefined;
};
