// Literals become expressions, and expressions get the type that a place asks for: widened, or spelled out where an enum is used as text.
import {
  canonicalInt64,
  formatBase64,
  int32Max,
  int32Min,
  int64Max,
  int64Min,
  textBytesMax,
  utf8Length,
} from "../avro/json-values.ts";
import type { ValueType } from "../definition.ts";
import { definitionError } from "./check.ts";
import { call, symbolicOf, types, type Symbolic } from "./symbolic.ts";

type LiteralSymbolic = Extract<Symbolic, { kind: "literal" }>;

/** An argument of a function, with the type that the function needs. */
export function operand(value: unknown, target: ValueType): Symbolic {
  return adapt(symbolicOf(value) ?? literal(value), target);
}

/** A value whose type nothing says yet: integers are int64, other numbers double, until `adapt` knows better. */
export function literal(value: unknown): LiteralSymbolic {
  switch (typeof value) {
    case "string":
      return textLiteral(value);
    case "boolean":
      return { kind: "literal", value, type: types.boolean };
    case "number":
      return numberLiteral(value);
    case "bigint":
      return bigintLiteral(value);
    default:
  }
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime()))
      throw definitionError("bad_literal", "The Date is invalid.", "Check how it is made.");
    return { kind: "literal", value: value.getTime(), type: types.timestamp };
  }
  if (value instanceof Uint8Array && value.length <= textBytesMax) {
    return { kind: "literal", value: formatBase64(value), type: { kind: "bytes" } };
  }
  if (value === null || value === undefined) {
    const hint = "Ask for presence with isPresent() and isAbsent(); check the spelling where it is a property.";
    throw definitionError("no_value", `${String(value)} is given where an expression or a value is expected.`, hint);
  }
  const hint = "Literals are texts, numbers, bigints, booleans, Dates and Uint8Arrays of at most 1 MiB.";
  throw definitionError("bad_literal", `A value of type ${typeof value} cannot be a literal.`, hint);
}

function textLiteral(value: string): LiteralSymbolic {
  if (!value.isWellFormed()) {
    throw definitionError("bad_literal", "The text has a lone surrogate.", "Texts are well-formed Unicode.");
  }
  if (utf8Length(value) > textBytesMax) {
    throw definitionError("literal_out_of_range", "The text is longer than 1 MiB.", "Use a shorter one.");
  }
  return { kind: "literal", value, type: types.string };
}

function numberLiteral(value: number): LiteralSymbolic {
  if (!Number.isFinite(value)) {
    throw definitionError("literal_out_of_range", `${value} is no value here.`, "Doubles are finite.");
  }
  if (Number.isSafeInteger(value)) return { kind: "literal", value: String(value), type: types.int64 };
  return { kind: "literal", value, type: types.double };
}

function bigintLiteral(value: bigint): LiteralSymbolic {
  if (value < int64Min || value > int64Max) {
    throw definitionError("literal_out_of_range", `${value} does not fit into 64 bits.`, "Use a smaller number.");
  }
  return { kind: "literal", value: String(value), type: types.int64 };
}

/** @throws RdgError invalid, `type_mismatch` */
export function adapt(expression: Symbolic, target: ValueType): Symbolic {
  const adapted = tryAdapt(expression, target);
  if (adapted !== undefined) return adapted;
  if (expression.kind === "literal") throw literalMismatch(expression, target);
  const message = `An expression of type ${typeName(expression.type)} is used where ${typeName(target)} is expected.`;
  throw definitionError("type_mismatch", message, conversionHint(expression.type, target));
}

function literalMismatch(expression: LiteralSymbolic, target: ValueType): Error {
  const shown = JSON.stringify(expression.value).slice(0, 80);
  const outOfRange = isNumeric(expression.type) && isNumeric(target);
  const hint =
    target.kind === "enum"
      ? `Its symbols are ${target.symbols.slice(0, 20).join(", ")}.`
      : `Write a value of type ${typeName(target)}.`;
  const code = outOfRange ? "literal_out_of_range" : target.kind === "enum" ? "unknown_symbol" : "type_mismatch";
  return definitionError(code, `${shown} is no value of type ${typeName(target)}.`, hint);
}

function conversionHint(from: ValueType, to: ValueType): string {
  if (from.kind === "int64" && to.kind === "double") return "Convert it with .toDouble().";
  if (from.kind === "double" && to.kind === "int64") return "Convert it with .toInt64(), .floor() or .ceil().";
  if (to.kind === "int32") return "Declare the target as t.int64().";
  if (to.kind === "string" && isNumeric(from)) return "Convert it with .toText().";
  if (to.kind === "timestamp" && from.kind === "int64") return "Convert it with .fromMillis().";
  if (from.kind === "timestamp") return "Convert it with .toMillis().";
  if (to.kind === "enum") return "Map the values to its symbols with .mapEnum({ ... }).";
  return "Use an expression of that type.";
}

/** Undefined when the expression cannot have the type without a conversion that its author must ask for. */
export function tryAdapt(expression: Symbolic, target: ValueType): Symbolic | undefined {
  const from = expression.type;
  if (sameType(from, target)) return expression;
  if (expression.kind === "null") return { kind: "null", type: target };
  if (expression.kind === "literal") return literalAs(expression, target);
  if (expression.kind === "call") {
    const inside = adaptInside(expression, target);
    if (inside !== undefined) return inside;
  }
  if (from.kind === "enum") return enumAs(expression, from.symbols, target);
  if (from.kind === "int32" && target.kind === "int64") return call("add", [expression, zero], target);
  if (from.kind === "int32" && target.kind === "double") return call("toDouble", [expression], target);
  return undefined;
}

const zero: Symbolic = { kind: "literal", value: "0", type: types.int64 };

/** Where a call only passes values on, what it passes on is adapted. */
function adaptInside(expression: Extract<Symbolic, { kind: "call" }>, target: ValueType): Symbolic | undefined {
  const passes = passedOn(expression.function, expression.args.length);
  if (passes === undefined) return undefined;
  const args: Symbolic[] = [];
  for (const [index, arg] of expression.args.entries()) {
    const adapted = passes(index) ? tryAdapt(arg, target) : arg;
    if (adapted === undefined) return undefined;
    args.push(adapted);
  }
  return call(expression.function, args, target);
}

function passedOn(name: string, count: number): ((index: number) => boolean) | undefined {
  if (name === "orElse") return () => true;
  if (name === "choose") return (index) => index > 0;
  if (name === "mapEnum") return (index) => index > 0 && index % 2 === 0 && index < count;
  return undefined;
}

function enumAs(expression: Symbolic, symbols: readonly string[], target: ValueType): Symbolic | undefined {
  if (target.kind !== "string" && target.kind !== "enum") return undefined;
  if (target.kind === "enum" && !symbols.every((symbol) => target.symbols.includes(symbol))) return undefined;
  const table = symbols.flatMap((symbol): Symbolic[] => [
    { kind: "literal", value: symbol, type: { kind: "enum", symbols } },
    { kind: "literal", value: symbol, type: target },
  ]);
  return call("mapEnum", [expression, ...table], target);
}

function literalAs({ value, type }: LiteralSymbolic, target: ValueType): Symbolic | undefined {
  if (target.kind === "enum" && typeof value === "string" && (type.kind === "string" || type.kind === "enum")) {
    return target.symbols.includes(value) ? { kind: "literal", value, type: target } : undefined;
  }
  if (target.kind === "string" && type.kind === "enum") return { kind: "literal", value, type: target };
  const number =
    type.kind === "int64" ? canonicalInt64(BigInt(value)) : isNumeric(type) ? (value as number) : undefined;
  if (typeof number !== "number") return undefined;
  if (target.kind === "double") return { kind: "literal", value: number, type: target };
  if (!Number.isSafeInteger(number)) return undefined;
  if (target.kind === "int64") return { kind: "literal", value: String(number), type: target };
  const fits = target.kind === "int32" && number >= int32Min && number <= int32Max;
  return fits ? { kind: "literal", value: number, type: target } : undefined;
}

/** Two expressions of one type: that of either, the wider number, or text for two enums. @throws RdgError invalid, `type_mismatch` */
export function unify(left: Symbolic, right: Symbolic): readonly [Symbolic, Symbolic] {
  // What has a type of its own decides over literals.
  const [first, second] = left.kind === "literal" || left.kind === "null" ? [right, left] : [left, right];
  for (const target of [first.type, second.type, types.int64, types.double, types.string]) {
    const [a, b] = [tryAdapt(left, target), tryAdapt(right, target)];
    if (a !== undefined && b !== undefined) return [a, b];
  }
  if (second.kind === "literal") throw literalMismatch(second, first.type);
  const message = `The types ${typeName(left.type)} and ${typeName(right.type)} do not go together.`;
  throw definitionError("type_mismatch", message, conversionHint(right.type, left.type));
}

function isNumeric(type: ValueType): boolean {
  return type.kind === "int32" || type.kind === "int64" || type.kind === "double";
}

export function sameType(a: ValueType, b: ValueType): boolean {
  return (
    a.kind === b.kind &&
    (!("symbols" in a || "item" in a || "value" in a || "fields" in a) || JSON.stringify(a) === JSON.stringify(b))
  );
}

export function typeName(type: ValueType): string {
  if (type.kind === "array") return `array of ${typeName(type.item)}`;
  return type.kind === "map" ? `map of ${typeName(type.value)}` : type.kind;
}
