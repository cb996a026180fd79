// What the compiler knows of an expression whose code is written: names of variables, and JavaScript conditions for its presence.
import type { ScalarType, ValueType } from "../../../model/definition.ts";

interface Presence {
  readonly type: ValueType;
  /** Conditions without side effects: there is a value; it is an explicit null. Else it is absent. */
  readonly has: string;
  readonly isNull: string;
  /** What a literal is, for decisions at compile time. */
  readonly literal?: string | number | boolean;
}

/** Text, bytes, arrays, maps, records: bytes `buffer[start, end)`. */
export interface RangeOperand extends Presence {
  readonly form: "range";
  readonly buffer: string;
  readonly start: string;
  readonly end: string;
  /** An upper bound of its length, where the plan tells one. */
  readonly bytesMax?: number;
}

/** int32, int64 (canonical), double, timestamp; enum as its symbol's index. The value is 0 where there is none. */
export interface NumberOperand extends Presence {
  readonly form: "number";
  readonly value: string;
}

/** A JavaScript condition; meaningful where there is a value. */
export interface BooleanOperand extends Presence {
  readonly form: "boolean";
  readonly value: string;
}

export type Operand = RangeOperand | NumberOperand | BooleanOperand;

export function formOf(type: ValueType): Operand["form"] {
  switch (type.kind) {
    case "int32":
    case "int64":
    case "double":
    case "timestamp":
    case "enum":
      return "number";
    case "boolean":
      return "boolean";
    default:
      return "range";
  }
}

/** Always a value. */
export const always = { has: "true", isNull: "false" } as const;

export function condition(value: string): BooleanOperand {
  return { form: "boolean", type: { kind: "boolean" }, ...always, value };
}

/** An operand used as a condition: absent and null are false. */
export function truth(operand: Operand): string {
  return operand.form === "boolean" ? and(operand.has, operand.value) : "false";
}

export function and(...conditions: readonly string[]): string {
  const open = [...new Set(conditions)].filter((each) => each !== "true");
  if (open.includes("false")) return "false";
  return open.length === 0 ? "true" : open.length === 1 ? open[0]! : open.map(grouped).join(" && ");
}

export function or(...conditions: readonly string[]): string {
  const open = [...new Set(conditions)].filter((each) => each !== "false");
  if (open.includes("true")) return "true";
  return open.length === 0 ? "false" : open.length === 1 ? open[0]! : open.map(grouped).join(" || ");
}

export function not(value: string): string {
  if (value === "true") return "false";
  return value === "false" ? "true" : `!${grouped(value)}`;
}

/** In brackets unless it is one word. */
export function grouped(value: string): string {
  return /^[\w$.]+$/u.test(value) ? value : `(${value})`;
}

export function isInteger(type: ValueType): boolean {
  return type.kind === "int32" || type.kind === "int64";
}

export function isScalar(type: ValueType): type is ScalarType {
  return type.kind !== "array" && type.kind !== "map" && type.kind !== "record";
}

export function sameSymbols(x: ValueType, y: ValueType): boolean {
  return x.kind === "enum" && y.kind === "enum" && x.symbols.join() === y.symbols.join();
}

/** Range arguments as the functions of bytes.ts and scratch.ts take them. */
export function spread(operand: RangeOperand): string {
  return `${operand.buffer}, ${operand.start}, ${operand.end}`;
}

/** Null or, with `isNull` "false", absent. */
export function nothing(type: ValueType, isNull: "true" | "false"): Operand {
  const presence = { type, has: "false", isNull };
  const form = formOf(type);
  if (form === "range") return { form, ...presence, buffer: "b", start: "0", end: "0" };
  return form === "number" ? { form, ...presence, value: "0" } : { form, ...presence, value: "false" };
}

export function typeName(type: ValueType): string {
  return type.kind === "enum" ? `enum(${type.symbols.join(", ")})` : type.kind;
}
