// `where` callbacks of hops: run once on symbolic properties, they leave a condition as JSON requests have it.
import { RdgError } from "../core/errors.ts";
import { operand } from "../model/define/adapt.ts";
import { expressionOf } from "../model/define/expression-object.ts";
import { condition } from "../model/define/operators.ts";
import { type Symbolic, call, types } from "../model/define/symbolic.ts";
import type { MergePolicy, PropertyModel, ScalarType, ValueType } from "../model/definition.ts";
import type { Comparisons, Condition, JsonScalar } from "../model/traversal.ts";

const scope = { kind: "event", token: {} } as const;
const reserved = ["and", "or", "not", "firstSeen", "lastSeen"];

/**
 * @param ofTypes the properties of each type that the callback is asked of; it sees those that all have
 * @throws RdgError invalid when the callback asks for what a filter cannot do
 */
export function conditionOfCallback(
  where: (row: never) => unknown,
  ofTypes: readonly (readonly PropertyModel[])[],
): Condition {
  const row: object = Object.create(null) as object;
  const define = (name: string, value: object): unknown =>
    Object.defineProperty(row, name, { value, enumerable: true });
  const [first = [], ...others] = ofTypes;
  // A property's path has two parts, which tells it from a time of the same name; it hides that.
  for (const { name, type, merge } of first) {
    const same = others.map((properties) => properties.find((property) => property.name === name));
    if (same.includes(undefined)) continue;
    const meaning = meaningOf(type, merge);
    if (same.some((other) => meaningOf(other!.type, other!.merge) !== meaning)) {
      Object.defineProperty(row, name, { get: () => differs(name) });
      continue;
    }
    const field = fieldOf([name, ""], type);
    define(name, merge === "union" ? setOf(field) : expressionOf(field));
  }
  for (const name of ["firstSeen", "lastSeen"]) {
    if (!Object.hasOwn(row, name)) define(name, expressionOf(fieldOf([name], types.timestamp)));
  }
  return jsonOf(condition(where(row as never)));
}

/** What decides how a value is written, and what may be asked. */
function meaningOf(type: ValueType, merge: MergePolicy): string {
  return JSON.stringify([type, merge === "union"]);
}

function differs(name: string): never {
  throw new RdgError("invalid", "ambiguous_property", `The types of this hop have different properties "${name}".`, {
    place: "where",
    hint: "Give each edge type its own condition: outward(edge, { where: ... }).",
  });
}

function fieldOf(path: readonly string[], type: Symbolic["type"]): Symbolic {
  return { kind: "field", scope, path, type };
}

/** A set: what is asked of it holds when one of its items does. */
function setOf(field: Symbolic): object {
  const ask = (name: "equals" | "in" | "isPresent" | "isAbsent", items: readonly unknown[]): object => {
    const literals = items.map((item) => operand(item, field.type));
    return expressionOf(call(name, [field, ...literals], types.boolean));
  };
  return {
    equals: (item: unknown) => ask("equals", [item]),
    in: (...items: readonly unknown[]) => ask("in", items),
    isPresent: () => ask("isPresent", []),
    isAbsent: () => ask("isAbsent", []),
  };
}

const operators = new Map<string, keyof Comparisons>(
  Object.entries({ equals: "equals", gt: "gt", gte: "gte", lt: "lt", lte: "lte", startsWith: "prefix" }),
);

function jsonOf(expression: Symbolic): Condition {
  if (expression.kind === "literal" && expression.value === true) return {};
  if (expression.kind === "literal" && expression.value === false) return { not: {} };
  if (expression.kind !== "call") throw unsupported();
  const { function: name, args } = expression;
  if (name === "and" || name === "or") return { [name]: args.map(jsonOf) };
  if (name === "not") return { not: jsonOf(args[0]!) };
  const [first, ...rest] = args;
  const { key, type } = propertyOf(first!);
  if (name === "isPresent") return test(key, { present: true });
  if (name === "isAbsent") return { not: test(key, { present: true }) };
  if (name === "in") return test(key, { in: rest.map((item) => literalOf(item, type)) });
  const operator = operators.get(name);
  if (operator === undefined) throw unsupported();
  return test(key, { [operator]: literalOf(rest[0]!, type) });
}

function propertyOf(expression: Symbolic): { readonly key: string; readonly type: ScalarType } {
  if (expression.kind !== "field") throw unsupported();
  const [name, isProperty] = expression.path as readonly [string, ""?];
  const key = isProperty !== undefined && reserved.includes(name) ? `.${name}` : name;
  return { key, type: expression.type as ScalarType };
}

function literalOf(expression: Symbolic, type: ScalarType): JsonScalar {
  if (expression.kind !== "literal") throw unsupported();
  const { value } = expression;
  switch (type.kind) {
    case "int32":
    case "double":
      return Number(value);
    case "timestamp":
      return new Date(Number(value)).toISOString();
    default:
      return value;
  }
}

function test(key: string, comparisons: Comparisons): Condition {
  return Object.fromEntries([[key, comparisons]]);
}

function unsupported(): RdgError {
  return new RdgError(
    "invalid",
    "unsupported_filter",
    "A filter compares properties with values; it does not compute.",
    {
      place: "where",
      hint: "Use equals, gt, gte, lt, lte, in, startsWith, isPresent, isAbsent, and, or, not; let a job compute a property for the rest.",
    },
  );
}
