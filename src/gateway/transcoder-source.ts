import { partitionOf } from "../model/partitioner.ts";
// Generates, per list of fields, the function that turns one JSON object into one Avro record: the fast path of the gateway. Code is made here by
// `new Function`; names and symbols enter it as numbers (their bytes) only.
//
// The function reads the object once and remembers where each field's text lies, or its number; then it writes Avro in declared order. It first expects
// the fields in declared order without blanks (but one behind `:` and `,`), then, beginning again, any order and blanks. Whatever it does not know
// (escapes, nested types, a field twice or unknown or missing, a value of another form) it leaves to the slow path by returning -1, having written nothing.
import type { FieldModel, ValueType } from "../model/value-type.ts";
import { type RecordOutput, writeDouble, writeLong, writeText } from "./record-output.ts";
import {
  createDayCache,
  scanBoolean,
  scanDouble,
  scanInt32,
  scanInt64,
  scanNull,
  scanText,
  scanTimestamp,
  skipBlanks,
} from "./scan.ts";

/**
 * Reads the object that begins at `p` and appends it to the output of its partition.
 * @param newline 10 for an element of a JSON array (or the only value), which may span lines and ends at `,` or `]`; 32 for a line, which ends at a newline.
 *   Both may end with the bytes.
 * @returns the position where the record ends, behind blanks, or -1 when the slow path must read it
 */
export type FastRecord = (
  b: Buffer,
  p: number,
  newline: number,
  outputs: readonly RecordOutput[],
  timeMaxMs: number,
  bytesMax: number,
) => number;

export interface FastRecordOptions {
  readonly fields: readonly FieldModel[];
  readonly key: string;
  /** The field with the event time; side inputs have none. */
  readonly time: string | undefined;
  readonly schemaId: number;
  readonly keyBytesMax: number;
}

/** Beyond this the generated function would be too large for the optimising compiler. */
const fieldsMax = 100;

/** undefined when a field's type is nested, bytes, or there are too many fields: then every record takes the slow path. */
export function compileFastRecord(options: FastRecordOptions): FastRecord | undefined {
  const { fields } = options;
  if (fields.length > fieldsMax || fields.some(({ type }) => !isPlain(type))) return undefined;
  const runtime = {
    partitionOf,
    writeDouble,
    writeLong,
    writeText,
    scanBoolean,
    scanDouble,
    scanInt32,
    scanInt64,
    scanNull,
    scanText,
    scanTimestamp,
    skipBlanks,
    numbers: new Float64Array(fields.length),
    days: fields.map(createDayCache),
  };
  const names = Object.keys(runtime);
  // oxlint-disable-next-line typescript/no-implied-eval -- generated code is what this file is for
  const create = new Function(...names, sourceOf(options)) as (...values: unknown[]) => FastRecord;
  return create(...Object.values(runtime));
}

function isPlain(type: ValueType): boolean {
  return type.kind !== "array" && type.kind !== "map" && type.kind !== "record" && type.kind !== "bytes";
}

function sourceOf(options: FastRecordOptions): string {
  const { fields } = options;
  const variables = fields.map((_, k) => `s${k} = 0, e${k} = 0`).join(", ");
  return `"use strict";
${fields.map(symbolFunction).join("")}
${nameFunction(fields)}
${fields.map((_, k) => `const day${k} = days[${k}];`).join("\n")}
return function fastRecord(b, p, newline, outputs, timeMaxMs, bytesMax) {
  const start = p;
  let c = 0, q = 0, ${variables};
  found: {
    ordered: {
      if (b[p] !== 123) break ordered;
      p++;
${fields.map(orderedField).join("")}
    }
    ${fields.map((_, k) => `s${k} = 0; e${k} = 0;`).join(" ")}
    p = start;
    if (b[p] !== 123) return -1;
    p = skipBlanks(b, p + 1, newline);
    if (b[p] === 125) { p++; break found; }
    for (;;) {
      if (b[p] !== 34) return -1;
      q = scanText(b, p + 1);
      if (q < 0) return -1;
      const field = fieldOf(b, p + 1, q);
      p = skipBlanks(b, q + 1, newline);
      if (b[p] !== 58) return -1;
      p = skipBlanks(b, p + 1, newline);
      switch (field) {
${fields.map((field, k) => `        case ${k}: if (s${k} !== 0) return -1; ${valueOf(field, k, "return -1;")} break;`).join("\n")}
        default: return -1;
      }
      p = skipBlanks(b, p, newline);
      c = b[p++];
      if (c === 125) break found;
      if (c !== 44) return -1;
      p = skipBlanks(b, p, newline);
    }
  }
${emission(options)}
  return q;
};`;
}

/** The field when it is the next one, without blanks but the usual one. A required field that is not next means another order. */
function orderedField({ name, type, optional }: FieldModel, k: number): string {
  const bytes = Buffer.from(`"${name}":`);
  const matches = [...bytes].map((byte, i) => `b[p${i === 0 ? "" : ` + ${i}`}] === ${byte}`).join(" && ");
  const field = { name, type, optional };
  return `      next${k}: {
        if (!(${matches})) break ${optional ? `next${k}` : "ordered"};
        p += ${bytes.length};
        if (b[p] === 32) p++;
        ${valueOf(field, k, "break ordered;")}
        c = b[p++];
        if (c === 125) break found;
        if (c !== 44) break ordered;
        if (b[p] === 32) p++;
      }
`;
}

/** Sets s (not 0 once the field was seen) and e (-1 when it is null); texts are b[s, e), other values numbers[k]. */
function valueOf({ type, optional }: FieldModel, k: number, fail: string): string {
  const value = plainValueOf(type, k, fail);
  if (!optional) return value;
  return `if (b[p] === 110) { p = scanNull(b, p); if (p < 0) ${fail} s${k} = 1; e${k} = -1; } else { ${value} }`;
}

function plainValueOf(type: ValueType, k: number, fail: string): string {
  const number = (call: string): string => `p = ${call}; if (p < 0) ${fail} s${k} = 1;`;
  const text = `if (b[p] !== 34) ${fail} q = scanText(b, p + 1); if (q < 0) ${fail}`;
  switch (type.kind) {
    case "string":
      return `${text} s${k} = p + 1; e${k} = q; p = q + 1;`;
    case "enum":
      return `${text} c = symbolOf${k}(b, p + 1, q); if (c < 0) ${fail} numbers[${k}] = c; s${k} = 1; p = q + 1;`;
    case "int32":
      return number(`scanInt32(b, p, numbers, ${k})`);
    case "int64":
      return number(`scanInt64(b, p, numbers, ${k})`);
    case "double":
      return number(`scanDouble(b, p, numbers, ${k})`);
    case "boolean":
      return number(`scanBoolean(b, p, numbers, ${k})`);
    case "timestamp":
      return number(`scanTimestamp(b, p, numbers, ${k}, day${k})`);
    default:
      return fail;
  }
}

function emission({ fields, key, time, schemaId, keyBytesMax }: FastRecordOptions): string {
  const indexOf = (name: string): number => fields.findIndex((field) => field.name === name);
  const k = indexOf(key);
  const required = fields.flatMap(({ optional }, i) => (optional ? [] : [`s${i} === 0`])).join(" || ");
  const id = [schemaId >>> 24, (schemaId >>> 16) & 255, (schemaId >>> 8) & 255, schemaId & 255];
  return `  if (${required}) return -1;
  q = skipBlanks(b, p, newline);
  c = b[q];
  if (q < b.length && (newline === 10 ? c !== 44 && c !== 93 : c !== 10)) return -1;
  if (p - start > bytesMax || e${k} === s${k} || e${k} - s${k} > ${keyBytesMax}) return -1;
  ${time === undefined ? "" : `if (numbers[${indexOf(time)}] > timeMaxMs) return -1;`}
  const output = outputs.length === 1 ? outputs[0] : outputs[partitionOf(b, s${k}, e${k}, outputs.length)];
  output.reserve(p - start + ${5 + fields.length * 11});
  const out = output.bytes;
  let pos = output.length;
  out[pos] = 0; out[pos + 1] = ${id[0]}; out[pos + 2] = ${id[1]}; out[pos + 3] = ${id[2]}; out[pos + 4] = ${id[3]};
  pos += 5;
${fields.map(emitField).join("\n")}
  output.add(pos, b, s${k}, e${k});`;
}

function emitField({ type, optional }: FieldModel, k: number): string {
  const value = emitValue(type, k);
  return optional ? `  if (s${k} === 0 || e${k} < 0) out[pos++] = 0; else { out[pos++] = 2; ${value} }` : `  ${value}`;
}

function emitValue(type: ValueType, k: number): string {
  switch (type.kind) {
    case "string":
      return `pos = writeText(out, pos, b, s${k}, e${k});`;
    case "double":
      return `pos = writeDouble(out, pos, numbers[${k}]);`;
    case "boolean":
      return `out[pos++] = numbers[${k}];`;
    default:
      return `pos = writeLong(out, pos, numbers[${k}]);`;
  }
}

/** The index of the symbol that b[s, e) is, or -1. */
function symbolFunction({ type }: FieldModel, k: number): string {
  return type.kind === "enum" ? lookupFunction(`symbolOf${k}`, type.symbols) : "";
}

function nameFunction(fields: readonly FieldModel[]): string {
  return lookupFunction(
    "fieldOf",
    fields.map(({ name }) => name),
  );
}

function lookupFunction(name: string, words: readonly string[]): string {
  const byLength = new Map<number, string[]>();
  for (const [index, word] of words.entries()) {
    const bytes = [...Buffer.from(word)];
    const matches = bytes.map((byte, i) => `b[s${i === 0 ? "" : ` + ${i}`}] === ${byte}`).join(" && ");
    const cases = byLength.get(bytes.length) ?? [];
    byLength.set(bytes.length, [...cases, `if (${matches}) return ${index};`]);
  }
  const cases = [...byLength].map(([length, tests]) => `    case ${length}: ${tests.join(" ")} return -1;`).join("\n");
  return `function ${name}(b, s, e) {
  switch (e - s) {
${cases}
  }
  return -1;
}
`;
}
