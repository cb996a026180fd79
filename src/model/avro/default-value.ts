// The default of a field, as an Avro schema's JSON has it, in Avro bytes: then it is read as any written value is.
import { AvroWriter } from "./avro-writer.ts";
import type { AvroNode } from "./schema-tree.ts";

/** Undefined where the default is no value of the type. */
export function encodeDefault(node: AvroNode, value: unknown): Uint8Array | undefined {
  const writer = new AvroWriter(64);
  return write(node, value, writer, 0) ? writer.copy() : undefined;
}

const depthMax = 200;

function write(node: AvroNode, value: unknown, writer: AvroWriter, depth: number): boolean {
  if (depth > depthMax) return false;
  switch (node.kind) {
    case "null":
      return value === null;
    case "boolean":
      if (typeof value !== "boolean") return false;
      writer.byte(value ? 1 : 0);
      return true;
    case "int":
    case "long":
      if (typeof value !== "number" || !Number.isSafeInteger(value)) return false;
      if (node.kind === "int" && (value | 0) !== value) return false;
      writer.long(value);
      return true;
    case "float":
    case "double":
      return writeNumber(node.kind, value, writer);
    case "string":
      if (typeof value !== "string") return false;
      writer.text(value);
      return true;
    case "bytes":
    case "fixed":
      return writeBytes(value, node.kind === "fixed" ? node.size : undefined, writer);
    case "enum": {
      const index = node.symbols.indexOf(value as string);
      if (index < 0) return false;
      writer.long(index);
      return true;
    }
    case "array":
      if (!Array.isArray(value)) return false;
      if (value.length > 0) writer.long(value.length);
      for (const item of value) if (!write(node.items, item, writer, depth + 1)) return false;
      writer.byte(0);
      return true;
    case "map": {
      if (!isObject(value)) return false;
      const entries = Object.entries(value);
      if (entries.length > 0) writer.long(entries.length);
      for (const [name, item] of entries) {
        writer.text(name);
        if (!write(node.values, item, writer, depth + 1)) return false;
      }
      writer.byte(0);
      return true;
    }
    case "union":
      return writeUnion(node.branches, value, writer, depth);
    case "record":
      if (!isObject(value)) return false;
      return node.fields.every(({ name, type, default: missing }) =>
        write(type, Object.hasOwn(value, name) ? value[name] : missing, writer, depth + 1),
      );
  }
}

/** The first type that the value is one of. */
function writeUnion(branches: readonly AvroNode[], value: unknown, writer: AvroWriter, depth: number): boolean {
  const start = writer.length;
  for (const [index, branch] of branches.entries()) {
    writer.long(index);
    if (write(branch, value, writer, depth + 1)) return true;
    writer.length = start;
  }
  return false;
}

function writeNumber(kind: "float" | "double", value: unknown, writer: AvroWriter): boolean {
  const words: Readonly<Record<string, number>> = { NaN, Infinity, "-Infinity": -Infinity };
  const number = typeof value === "string" && Object.hasOwn(words, value) ? words[value] : value;
  if (typeof number !== "number") return false;
  if (kind === "double") writer.double(number);
  else for (const byte of new Uint8Array(new Float32Array([number]).buffer)) writer.byte(byte);
  return true;
}

/** Code points 0 to 255 are the bytes. */
function writeBytes(value: unknown, size: number | undefined, writer: AvroWriter): boolean {
  if (typeof value !== "string" || (size !== undefined && value.length !== size)) return false;
  const bytes = new Uint8Array(value.length);
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code > 255) return false;
    bytes[i] = code;
  }
  if (size === undefined) writer.blob(bytes);
  else for (const byte of bytes) writer.byte(byte);
  return true;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
