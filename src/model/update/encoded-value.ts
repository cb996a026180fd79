// The encoded value: one order-preserving binary form per value, compared as unsigned bytes, the same on every engine (docs/SEMANTICS.md, section 1).
//
//   null                      00
//   int32, int64, timestamp   01, then the int64 big endian with its sign bit flipped: 9 bytes for every integer type, so that widening a type keeps order and bytes
//   double                    01, then IEEE 754 big endian; the sign bit is flipped when positive, all bits when negative; -0 is written as 0
//   boolean, enum             01, then one byte: 0 or 1, or the symbol's index
//   string, bytes, opaque     01, then the bytes (UTF-8; Avro for array, map and record)
//
// A null is therefore smaller than every value. Byte order of UTF-8 is code point order.
import { RdgError } from "../../core/errors.ts";
import type { ValueType } from "../definition.ts";
import type { PropertyValue } from "../filter.ts";
import { canonicalInt64 } from "./int64.ts";
import type { Int64 } from "./sink.ts";

/** How a type's numbers are written: `integer` and `double` take 9 bytes, `byte` (boolean, enum) takes 2. */
export type NumberEncoding = "integer" | "double" | "byte";

const encodedNumberBytesMax = 9;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const scratch = new DataView(new ArrayBuffer(8));

/** Undefined for types whose values are bytes. */
export function numberEncodingOf(type: ValueType): NumberEncoding | undefined {
  switch (type.kind) {
    case "int32":
    case "int64":
    case "timestamp":
      return "integer";
    case "double":
      return "double";
    case "boolean":
    case "enum":
      return "byte";
    default:
      return undefined;
  }
}

/** Writes the encoded value of a number (boolean as 0 or 1, enum as index) to the start of `target`; returns its length. */
export function writeEncodedNumber(target: Uint8Array, encoding: NumberEncoding, value: Int64): number {
  target[0] = 1;
  if (encoding === "byte") {
    target[1] = Number(value);
    return 2;
  }
  if (encoding === "integer") writeInteger(value);
  else writeDouble(Number(value));
  for (let i = 0; i < 8; i++) target[i + 1] = scratch.getUint8(i);
  return 9;
}

function writeInteger(value: Int64): void {
  if (typeof value === "bigint") {
    scratch.setBigInt64(0, value);
    scratch.setUint32(0, scratch.getUint32(0) ^ 0x80000000);
    return;
  }
  const high = Math.floor(value / 4294967296);
  scratch.setUint32(0, high ^ 0x80000000);
  scratch.setUint32(4, value - high * 4294967296);
}

function writeDouble(value: number): void {
  scratch.setFloat64(0, value + 0);
  const high = scratch.getUint32(0);
  if (high < 0x80000000) scratch.setUint32(0, high ^ 0x80000000);
  else {
    scratch.setUint32(0, ~high);
    scratch.setUint32(4, ~scratch.getUint32(4));
  }
}

/**
 * The encoded value of a property value of this type; opaque types (array, map, record) take their Avro bytes.
 * @throws RdgError invalid, `bad_value` when the value is not of the type
 */
export function encodeValue(type: ValueType, value: PropertyValue): Uint8Array {
  if (value === null) return new Uint8Array(1);
  const encoding = numberEncodingOf(type);
  if (encoding === undefined) return prefixed(bytesOf(type, value));
  const target = new Uint8Array(encodedNumberBytesMax);
  return target.slice(0, writeEncodedNumber(target, encoding, numberOf(type, value)));
}

/** Number, boolean, symbol or bigint as the number that stands for it in columns and encoded values. */
export function numberOf(type: ValueType, value: PropertyValue): Int64 {
  if (type.kind === "boolean" && typeof value === "boolean") return value ? 1 : 0;
  if (type.kind === "enum" && typeof value === "string") {
    const index = type.symbols.indexOf(value);
    if (index >= 0) return index;
  }
  if (type.kind === "double" && typeof value === "number" && Number.isFinite(value)) return value + 0;
  if (type.kind === "int64" && typeof value === "bigint") return canonicalInt64(value);
  if (numberEncodingOf(type) === "integer" && Number.isSafeInteger(value)) return (value as number) + 0;
  throw badValue(type);
}

/** The bytes that stand for a string, bytes or opaque value in columns and, after 01, in encoded values. */
export function bytesOf(type: ValueType, value: PropertyValue): Uint8Array {
  if (type.kind === "string" && typeof value === "string" && value.isWellFormed()) return encoder.encode(value);
  if (type.kind !== "string" && value instanceof Uint8Array) return value;
  throw badValue(type);
}

function badValue(type: ValueType): RdgError {
  return new RdgError("invalid", "bad_value", `The value is not a ${type.kind}.`, {
    hint: "Pass a value of the declared type; opaque types take their Avro bytes.",
  });
}

function prefixed(bytes: Uint8Array): Uint8Array {
  const target = new Uint8Array(bytes.length + 1);
  target[0] = 1;
  target.set(bytes, 1);
  return target;
}

/**
 * The value that `bytes[start, end)` encodes; bytes and opaque values are copied.
 * @throws RdgError corrupt, `bad_encoded_value`
 */
export function decodeValue(type: ValueType, bytes: Uint8Array, start = 0, end = bytes.length): PropertyValue {
  if (end - start === 1 && bytes[start] === 0) return null;
  const encoding = numberEncodingOf(type);
  if (end <= start || bytes[start] !== 1) throw badEncoding(type);
  if (encoding === undefined) return valueOfBytes(type, bytes, start + 1, end);
  if (end - start !== (encoding === "byte" ? 2 : 9)) throw badEncoding(type);
  if (encoding === "byte") return valueOfNumber(type, bytes[start + 1]!);
  for (let i = 0; i < 8; i++) scratch.setUint8(i, bytes[start + 1 + i]!);
  if (encoding === "double") return readDouble();
  scratch.setUint32(0, scratch.getUint32(0) ^ 0x80000000);
  return canonicalInt64(scratch.getBigInt64(0));
}

function readDouble(): number {
  const high = scratch.getUint32(0);
  if (high >= 0x80000000) scratch.setUint32(0, high ^ 0x80000000);
  else {
    scratch.setUint32(0, ~high);
    scratch.setUint32(4, ~scratch.getUint32(4));
  }
  return scratch.getFloat64(0);
}

/** The property value that a number in a column of this type stands for. */
export function valueOfNumber(type: ValueType, value: Int64): PropertyValue {
  if (type.kind === "boolean") return value === 1;
  if (type.kind !== "enum") return value;
  const symbol = type.symbols[Number(value)];
  if (symbol === undefined) throw badEncoding(type);
  return symbol;
}

/** The property value that `bytes[start, end)` in a column of this type stands for; bytes and opaque values are copied. */
export function valueOfBytes(type: ValueType, bytes: Uint8Array, start: number, end: number): PropertyValue {
  if (type.kind !== "string") return new Uint8Array(bytes.subarray(start, end));
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch (cause) {
    throw badEncoding(type, cause);
  }
}

function badEncoding(type: ValueType, cause?: unknown): RdgError {
  return new RdgError("corrupt", "bad_encoded_value", `The bytes do not encode a ${type.kind}.`, {
    hint: "The data was written for another definition of the type, or is damaged.",
    cause,
  });
}

/** Compares as unsigned bytes: negative, 0 or positive. A prefix is smaller than what it begins. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** As `compareBytes`, of two ranges of shared arrays. */
export function compareRanges(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const end = aStart + Math.min(aEnd - aStart, bEnd - bStart);
  for (let i = aStart, j = bStart; i < end; i++, j++) if (a[i] !== b[j]) return a[i]! - b[j]!;
  return aEnd - aStart - (bEnd - bStart);
}
