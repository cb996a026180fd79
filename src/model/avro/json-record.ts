// What a valid record is: the one definition of validity of incoming events and side-input rows, as JSON or as JavaScript values.
// The gateway's generated transcoder must accept exactly what `validateRecord` finds no problem in, and must write the bytes that the encoder writes.
//
// Rules (`JSON.parse` gives the values; of a repeated name the last counts, as there):
// - The record is an object. Its names are declared fields; any other name is `unknown_field`. A field that is not optional must be there (`missing_field`)
//   and must not be null (`null_value`). Null, or undefined, for an optional field means absent.
// - string: text without lone surrogates (`ill_formed_text`), at most 1,048,576 bytes of UTF-8 (`too_long`). Never trimmed, never normalised.
// - int32: a number without fraction in the range of 32 bits. Not a text. `1.0` and `1e3` are the numbers 1 and 1000, and -0 is 0, here and below.
// - int64: a number that is a safe integer (others are `unsafe_integer`: they may have lost digits on their way), a decimal text `0 | -?[1-9][0-9]*`
//   in the range of 64 bits, or a bigint.
// - double: a finite number; -0 becomes 0. (`1e999` is read as infinity: `not_finite`.)
// - boolean: true or false.
// - timestamp: an integer number of milliseconds since the epoch, at most 8.64e15 from it; a text as `parseTimestamp` reads it (ISO 8601 with seconds and zone,
//   years 0000 to 9999, finer fractions than milliseconds are cut off); or a valid Date.
// - bytes: base64 as `parseBase64` reads it, or a Uint8Array; at most 1,048,576 bytes.
// - enum: one of the symbols, as text.
// - array: at most 10,000 items (`too_many_items`), none of them null. map: an object of at most 10,000 entries, none null; names are strings as above.
// - record: an object, by the same rules as the outermost.
// - The key field's text has 1 to 1,024 bytes (`bad_key`).
//
// Problems come in the order of the record's own names, then missing fields in declared order; at most 100.
import type { FieldModel, ValueType } from "../definition.ts";
import {
  int32Max,
  int32Min,
  int64Max,
  int64Min,
  itemsMax,
  keyBytesMax,
  parseBase64,
  parseInt64,
  parseTimestamp,
  textBytesMax,
  timestampMaxMs,
  utf8Length,
} from "./json-values.ts";

/** What is wrong with one field. `field` is its path, for example `lines[2].sku` or `labels["a b"]`; empty for the record itself. */
export interface FieldProblem {
  readonly field: string;
  readonly path: readonly (string | number)[];
  readonly code: ProblemCode;
  readonly reason: string;
}

export type ProblemCode =
  | "wrong_type"
  | "unknown_field"
  | "missing_field"
  | "null_value"
  | "ill_formed_text"
  | "too_long"
  | "too_many_items"
  | "out_of_range"
  | "unsafe_integer"
  | "not_finite"
  | "bad_timestamp"
  | "bad_base64"
  | "unknown_symbol"
  | "bad_key";

export type RecordValidator = (value: unknown) => readonly FieldProblem[];

const problemsMax = 100;

/** The problems of a value as a record of these fields; none means that it is valid. Compile the validator where the same fields are checked again and again. */
export function validateRecord(fields: readonly FieldModel[], value: unknown, key?: string): readonly FieldProblem[] {
  return compileRecordValidator(fields, key)(value);
}

/** @param key name of the field that is the record's key */
export function compileRecordValidator(fields: readonly FieldModel[], key?: string): RecordValidator {
  const check = checkOfRecord(fields, key);
  return (value) => {
    const findings = new Findings();
    check(value, findings);
    return findings.problems;
  };
}

/** The problems of one value of this type: a property, an item. */
export function compileValueValidator(type: ValueType): RecordValidator {
  const check = checkOf(type);
  return (value) => {
    const findings = new Findings();
    check(value, findings);
    return findings.problems;
  };
}

/** Collects problems and knows where the validator is. */
class Findings {
  readonly problems: FieldProblem[] = [];
  readonly path: (string | number)[] = [];

  add(code: ProblemCode, reason: string): void {
    if (this.problems.length >= problemsMax) return;
    this.problems.push({ field: formatPath(this.path), path: [...this.path], code, reason });
  }

  addAt(name: string, code: ProblemCode, reason: string): void {
    this.path.push(name);
    this.add(code, reason);
    this.path.pop();
  }
}

function formatPath(path: readonly (string | number)[]): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (!/^[A-Za-z_][A-Za-z0-9_]{0,254}$/.test(step)) text += `[${JSON.stringify(step.slice(0, 100))}]`;
    else text += text === "" ? step : `.${step}`;
  }
  return text;
}

type Check = (value: unknown, findings: Findings) => void;

function checkOfRecord(fields: readonly FieldModel[], key?: string): Check {
  const checks = new Map(
    fields.map((field) => [field.name, { field, check: field.name === key ? checkKey : checkOf(field.type) }]),
  );
  return (value, findings) => {
    if (!isObject(value)) return findings.add("wrong_type", `an object is expected, not ${describe(value)}`);
    for (const name of Object.keys(value)) {
      const content = (value as Record<string, unknown>)[name];
      if (content === undefined) continue;
      const known = checks.get(name);
      if (known === undefined) {
        findings.addAt(name, "unknown_field", "no such field is declared");
      } else if (content !== null) {
        findings.path.push(name);
        known.check(content, findings);
        findings.path.pop();
      } else if (!known.field.optional) {
        findings.addAt(name, "null_value", "null is given, but the field is not optional");
      }
    }
    for (const field of fields) {
      if (field.optional || ownValue(value, field.name) !== undefined) continue;
      findings.addAt(field.name, "missing_field", "the field is missing and not optional");
    }
  };
}

function checkOf(type: ValueType): Check {
  switch (type.kind) {
    case "string":
      return checkText;
    case "int32":
      return checkInt32;
    case "int64":
      return checkInt64;
    case "double":
      return checkDouble;
    case "boolean":
      return checkBoolean;
    case "timestamp":
      return checkTimestamp;
    case "bytes":
      return checkBytes;
    case "enum":
      return checkOfEnum(type.symbols);
    case "array":
      return checkOfArray(checkOf(type.item));
    case "map":
      return checkOfMap(checkOf(type.value));
    case "record":
      return checkOfRecord(type.fields);
  }
}

function checkText(value: unknown, findings: Findings): void {
  if (typeof value !== "string") return findings.add("wrong_type", `a string is expected, not ${describe(value)}`);
  if (!value.isWellFormed()) return findings.add("ill_formed_text", "the text has a lone surrogate");
  // A unit of UTF-16 is at most 3 bytes of UTF-8.
  if (value.length * 3 > textBytesMax && utf8Length(value) > textBytesMax) {
    findings.add("too_long", `the text is longer than ${textBytesMax} bytes`);
  }
}

function checkKey(value: unknown, findings: Findings): void {
  const before = findings.problems.length;
  checkText(value, findings);
  if (findings.problems.length > before || typeof value !== "string") return;
  const length = utf8Length(value);
  if (length < 1 || length > keyBytesMax) {
    findings.add("bad_key", `a key has 1 to ${keyBytesMax} bytes, this one has ${length}`);
  }
}

function checkInt32(value: unknown, findings: Findings): void {
  if (typeof value !== "number") return findings.add("wrong_type", `an integer is expected, not ${describe(value)}`);
  if (!Number.isInteger(value)) return findings.add("wrong_type", `an integer is expected, not ${value}`);
  if (value < int32Min || value > int32Max) findings.add("out_of_range", `${value} does not fit into 32 bits`);
}

function checkInt64(value: unknown, findings: Findings): void {
  if (typeof value === "number") {
    if (!Number.isInteger(value)) return findings.add("wrong_type", `an integer is expected, not ${value}`);
    if (!Number.isSafeInteger(value)) {
      findings.add("unsafe_integer", "numbers beyond 2^53 - 1 lose digits in JSON: write this one as a decimal text");
    }
  } else if (typeof value === "string") {
    if (parseInt64(value) === undefined) {
      findings.add("out_of_range", "the text is not a decimal integer that fits into 64 bits");
    }
  } else if (typeof value === "bigint") {
    if (value < int64Min || value > int64Max) findings.add("out_of_range", `${value} does not fit into 64 bits`);
  } else {
    findings.add("wrong_type", `an integer or a decimal text is expected, not ${describe(value)}`);
  }
}

function checkDouble(value: unknown, findings: Findings): void {
  if (typeof value !== "number") return findings.add("wrong_type", `a number is expected, not ${describe(value)}`);
  if (!Number.isFinite(value)) findings.add("not_finite", "the number is not finite");
}

function checkBoolean(value: unknown, findings: Findings): void {
  if (typeof value !== "boolean") findings.add("wrong_type", `true or false is expected, not ${describe(value)}`);
}

function checkTimestamp(value: unknown, findings: Findings): void {
  if (typeof value === "string") {
    if (parseTimestamp(value) === undefined) {
      findings.add("bad_timestamp", "not an ISO 8601 time with seconds and zone, such as 2026-11-21T16:55:00.000Z");
    }
  } else if (typeof value === "number") {
    if (!Number.isInteger(value) || Math.abs(value) > timestampMaxMs) {
      findings.add("bad_timestamp", "milliseconds since the epoch are an integer of at most 8.64e15");
    }
  } else if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) findings.add("bad_timestamp", "the Date is invalid");
  } else {
    findings.add("wrong_type", `an ISO 8601 text or milliseconds are expected, not ${describe(value)}`);
  }
}

function checkBytes(value: unknown, findings: Findings): void {
  if (typeof value !== "string" && !(value instanceof Uint8Array)) {
    return findings.add("wrong_type", `base64 text is expected, not ${describe(value)}`);
  }
  const bytes = typeof value === "string" ? parseBase64(value) : value;
  if (bytes === undefined) return findings.add("bad_base64", "not padded base64 (RFC 4648, section 4)");
  if (bytes.length > textBytesMax) findings.add("too_long", `longer than ${textBytesMax} bytes`);
}

function checkOfEnum(symbols: readonly string[]): Check {
  const known = new Set(symbols);
  return (value, findings) => {
    if (typeof value !== "string") return findings.add("wrong_type", `a symbol is expected, not ${describe(value)}`);
    if (known.has(value)) return;
    const listed = symbols.length > 12 ? `${symbols.slice(0, 12).join(", ")}, ...` : symbols.join(", ");
    findings.add("unknown_symbol", `the symbols are ${listed}`);
  };
}

function checkOfArray(check: Check): Check {
  return (value, findings) => {
    if (!Array.isArray(value)) return findings.add("wrong_type", `an array is expected, not ${describe(value)}`);
    if (value.length > itemsMax) return findings.add("too_many_items", `more than ${itemsMax} items`);
    for (let i = 0; i < value.length; i++) {
      findings.path.push(i);
      if (value[i] === null || value[i] === undefined) findings.add("null_value", "an item of an array is never null");
      else check(value[i], findings);
      findings.path.pop();
    }
  };
}

function checkOfMap(check: Check): Check {
  return (value, findings) => {
    if (!isObject(value)) return findings.add("wrong_type", `an object is expected, not ${describe(value)}`);
    const names = Object.keys(value);
    if (names.length > itemsMax) return findings.add("too_many_items", `more than ${itemsMax} entries`);
    for (const name of names) {
      const content = (value as Record<string, unknown>)[name];
      findings.path.push(name);
      checkText(name, findings);
      if (content === null || content === undefined) findings.add("null_value", "a value of a map is never null");
      else check(content, findings);
      findings.path.pop();
    }
  };
}

/** What `JSON.parse` gives for an object; also objects of users' classes, by their own properties. */
function isObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return !(value instanceof Date || value instanceof Uint8Array || value instanceof Map || value instanceof Set);
}

/** The value of an own property; what the prototype has (`constructor`, `__proto__`) is not the record's. */
export function ownValue(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? (object as Record<string, unknown>)[name] : undefined;
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  switch (typeof value) {
    case "object":
      return "an object";
    case "string":
      return `the text ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value)}`;
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
    default:
      return `a ${typeof value}`;
  }
}
