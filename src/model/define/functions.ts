import { adapt } from "./adapt.ts";
import { expressionOf, updatesOf } from "./expression-object.ts";
import type { Condition, IntegerExpr, Lifted, Literal, OrAbsent, Valued } from "./expression.ts";
// The free functions of the language: `when` and `count`.
import { lift, choose, condition } from "./operators.ts";
import { types } from "./symbolic.ts";
import { makeUpdate, type Update, type Updates } from "./update.ts";

/** The updates where the condition holds; the value where it holds, else absent or `otherwise`. */
export function when(test: Condition, updates: Updates): Update;
export function when<E extends Valued<unknown>>(test: Condition, value: E): OrAbsent<E>;
export function when<const V extends Literal>(test: Condition, value: V): OrAbsent<Lifted<V>>;
export function when<const A extends Valued<unknown> | Literal, const B extends Valued<unknown> | Literal>(
  test: Condition,
  value: A,
  otherwise: B,
): Lifted<A> | Lifted<B>;
export function when(test: unknown, value: unknown, ...otherwise: readonly unknown[]): unknown {
  if (!Array.isArray(value)) return expressionOf(choose(test, value, ...otherwise));
  return makeUpdate({ kind: "when", condition: condition(test), updates: updatesOf(value, "when()") });
}

/** What an update adds to a counter: 1, a number or an integer expression. */
export function count(amount: number | bigint | IntegerExpr<number | bigint | undefined> = 1n): IntegerExpr<bigint> {
  return expressionOf(adapt(lift(amount), types.int64)) as unknown as IntegerExpr<bigint>;
}
