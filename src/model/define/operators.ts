// The methods of expressions as tables: what each adds to the plan. The interfaces in expression.ts are their types, plan.ts their meaning.
import type { ValueType } from "../definition.ts";
import type { FunctionName } from "../plan.ts";
import { adapt, literal, operand, typeName, unify } from "./adapt.ts";
import { definitionError, plainEntries } from "./check.ts";
import { call, symbolicOf, types, type Symbolic } from "./symbolic.ts";

export type Method = (self: Symbolic, ...args: readonly unknown[]) => Symbolic;
export type Methods = Readonly<Record<string, Method>>;

const listMax = 1000;

const predicates: ReadonlySet<string> = new Set(
  "isPresent isAbsent equals in gt gte lt lte and or not startsWith endsWith contains".split(" "),
);

/** A condition that is always true or false: a boolean value counts as true when it equals true. */
export function condition(value: unknown): Symbolic {
  const expression = symbolicOf(value) ?? (typeof value === "boolean" ? literal(value) : undefined);
  if (expression?.type.kind === "boolean") return conditionOf(expression);
  const found = expression === undefined ? typeof value : typeName(expression.type);
  const hint = 'Compare or ask for presence: e.action.equals("start"), e.titleId.isPresent().';
  throw definitionError("not_a_condition", `A condition is expected, not ${found}.`, hint);
}

function conditionOf(expression: Symbolic): Symbolic {
  if (expression.kind === "literal") return expression;
  if (expression.kind === "call" && predicates.has(expression.function)) return expression;
  return call("equals", [expression, literal(true)], types.boolean);
}

/** A condition's value, or the other one; absent when that is not given. */
export function choose(test: unknown, value: unknown, ...otherwise: readonly unknown[]): Symbolic {
  const decided = condition(test);
  if (otherwise.length === 0) {
    const chosen = lift(value);
    return call("choose", [decided, chosen], chosen.type);
  }
  const [chosen, other] =
    value === null ? liftPair(lift(otherwise[0]), null).toReversed() : liftPair(lift(value), otherwise[0]);
  return call("choose", [decided, chosen, other], chosen.type);
}

export function lift(value: unknown): Symbolic {
  return symbolicOf(value) ?? literal(value);
}

/** Both with one type; null takes the type of its neighbour. */
function liftPair(left: Symbolic, right: unknown): readonly [Symbolic, Symbolic] {
  return right === null ? [left, { kind: "null", type: left.type }] : unify(left, lift(right));
}

const comparison =
  (name: FunctionName): Method =>
  (self, other) => {
    const given = lift(other);
    // A literal that is none of the symbols would never compare.
    const symbol = self.type.kind === "enum" && given.kind === "literal" ? adapt(given, self.type) : given;
    const [left, right] = unify(self, symbol);
    if (left.type.kind === "array" || left.type.kind === "map" || left.type.kind === "record") {
      const hint = "Compare their scalars, or ask for presence.";
      throw definitionError("not_comparable", `Values of type ${typeName(left.type)} are not compared.`, hint);
    }
    return call(name, [left, right], types.boolean);
  };

const listed: Method = (self, ...values) => {
  if (values.length < 1 || values.length > listMax) {
    throw definitionError("bad_list", `in() has ${values.length} values.`, `Give 1 to ${listMax} values.`);
  }
  const literals = values.map((value) => {
    if (symbolicOf(value) === undefined) return operand(value, self.type);
    throw definitionError("not_a_literal", "in() takes literals only.", "Compare expressions with equals() and or().");
  });
  return call("in", [self, ...literals], types.boolean);
};

/** A function whose arguments, itself included, are texts. */
const textFunction =
  (name: FunctionName, type: ValueType, argumentsMin: number, argumentsMax: number): Method =>
  (self, ...args) => {
    checkCount(name, args.length, argumentsMin, argumentsMax);
    return call(name, [adapt(self, types.string), ...args.map((arg) => operand(arg, types.string))], type);
  };

function checkCount(name: string, count: number, min: number, max: number): void {
  if (count >= min && count <= max) return;
  const expected = min === max ? String(min) : `${min} to ${max}`;
  throw definitionError("bad_arguments", `${name}() has ${count} arguments.`, `It takes ${expected}.`);
}

const asText = (expression: Symbolic): Symbolic => adapt(expression, types.string);
const asInt64 = (expression: Symbolic): Symbolic => adapt(expression, types.int64);

/** Also int64, which elsewhere is converted on request only. */
function asDouble(expression: Symbolic): Symbolic {
  if (expression.kind !== "literal" && expression.type.kind === "int64")
    return call("toDouble", [expression], types.double);
  return adapt(expression, types.double);
}

const integerFunction =
  (name: FunctionName): Method =>
  (self, other) =>
    call(name, [integerOperand(self), integerOperand(lift(other))], types.int64);

/** int32 stays as it is: arithmetic widens it. */
function integerOperand(expression: Symbolic): Symbolic {
  return expression.type.kind === "int32" ? expression : adapt(expression, types.int64);
}

const doubleFunction =
  (name: FunctionName): Method =>
  (self, other) =>
    call(name, [self, operand(other, types.double)], types.double);

const unary =
  (name: FunctionName, type: ValueType): Method =>
  (self) =>
    call(name, [self], type);

const combined =
  (name: "and" | "or"): Method =>
  (self, ...others) => {
    checkCount(name, others.length, 1, listMax);
    const parts = [conditionOf(self), ...others.map(condition)];
    // a.and(b).and(c) is one call of three.
    const flat = parts.flatMap((part) => (part.kind === "call" && part.function === name ? part.args : [part]));
    return call(name, flat, types.boolean);
  };

const substring: Method = (self, start, ...length) => {
  checkCount("substring", length.length, 0, 1);
  const given = length[0] === undefined ? [] : [asInt64(lift(length[0]))];
  return call("substring", [asText(self), asInt64(lift(start)), ...given], types.string);
};

const split: Method = (self, separator) => {
  if (typeof separator !== "string" || separator === "") {
    throw definitionError(
      "empty_separator",
      "split() needs a separator.",
      'Give a text of at least one character: split(",").',
    );
  }
  return call("split", [asText(self), literal(separator)], { kind: "array", item: types.string });
};

const mapEnum: Method = (self, table) => {
  const entries = plainEntries(table, "The table of mapEnum()");
  if (entries.length < 1 || entries.length > listMax) {
    throw definitionError("bad_list", `The table has ${entries.length} entries.`, `Give 1 to ${listMax} entries.`);
  }
  const args = entries.flatMap(([from, to]) => [operand(from, self.type), operand(to, types.string)]);
  return call("mapEnum", [self, ...args], types.string);
};

const units: readonly unknown[] = ["second", "minute", "hour", "day", "week"];
const truncate: Method = (self, unit) => {
  if (!units.includes(unit)) {
    throw definitionError("bad_unit", `truncate() does not know "${String(unit)}".`, `Units are: ${units.join(", ")}.`);
  }
  return call("truncate", [self, literal(unit)], types.timestamp);
};

const anyMethods: Methods = {
  isPresent: unary("isPresent", types.boolean),
  isAbsent: unary("isAbsent", types.boolean),
  orElse: (self, other) => {
    const [left, right] = liftPair(self, other);
    return call("orElse", [left, right], left.type);
  },
};

const scalarMethods: Methods = {
  ...anyMethods,
  equals: comparison("equals"),
  gt: comparison("gt"),
  gte: comparison("gte"),
  lt: comparison("lt"),
  lte: comparison("lte"),
  in: listed,
};

const textMethods: Methods = {
  ...scalarMethods,
  concat: textFunction("concat", types.string, 1, listMax),
  lower: textFunction("lower", types.string, 0, 0),
  upper: textFunction("upper", types.string, 0, 0),
  length: textFunction("length", types.int64, 0, 0),
  hash: textFunction("hash", types.string, 0, 0),
  startsWith: textFunction("startsWith", types.boolean, 1, 1),
  endsWith: textFunction("endsWith", types.boolean, 1, 1),
  contains: textFunction("contains", types.boolean, 1, 1),
  substring,
  split,
  mapEnum,
};

const integerMethods: Methods = {
  ...scalarMethods,
  add: integerFunction("add"),
  subtract: integerFunction("subtract"),
  multiply: integerFunction("multiply"),
  div: integerFunction("div"),
  rem: integerFunction("rem"),
  divide: (self, other) => call("divide", [asDouble(self), asDouble(lift(other))], types.double),
  toDouble: unary("toDouble", types.double),
  toText: unary("toText", types.string),
  fromMillis: (self) => call("fromMillis", [asInt64(self)], types.timestamp),
};

const doubleMethods: Methods = {
  ...scalarMethods,
  add: doubleFunction("add"),
  subtract: doubleFunction("subtract"),
  multiply: doubleFunction("multiply"),
  divide: doubleFunction("divide"),
  floor: unary("floor", types.double),
  ceil: unary("ceil", types.double),
  toInt64: unary("toInt64", types.int64),
};

const timeMethods: Methods = {
  ...scalarMethods,
  truncate,
  plus: (self, milliseconds) => call("plus", [self, asInt64(lift(milliseconds))], types.timestamp),
  toMillis: unary("toMillis", types.int64),
};

const booleanMethods: Methods = {
  ...scalarMethods,
  and: combined("and"),
  or: combined("or"),
  not: (self) => call("not", [conditionOf(self)], types.boolean),
};

/** The methods of an expression of this type; `each` of arrays is with the objects. */
export const methodsOf: Readonly<Record<ValueType["kind"], Methods>> = {
  string: textMethods,
  enum: textMethods,
  int32: integerMethods,
  int64: integerMethods,
  double: doubleMethods,
  boolean: booleanMethods,
  timestamp: timeMethods,
  bytes: scalarMethods,
  array: anyMethods,
  map: anyMethods,
  record: anyMethods,
};
