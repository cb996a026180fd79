// Single values of somebody else's schema as our scalars: what a logical type means decides, and what would lose more than digits of a second is not read.
import { RdgError } from "../../core/errors.ts";
import type { ValueType } from "../value-type.ts";
import type { AvroReader } from "./avro-reader.ts";
import { branchIndex, readFloat } from "./foreign-values.ts";
import { textBytesMax } from "./json-values.ts";
import type { AvroNode, LogicalType } from "./schema-tree.ts";

export interface ScalarReader {
  readonly read: () => unknown;
  /** What to know of it. */
  readonly mind?: string;
  /** Some records cannot be read for it. */
  readonly partly?: boolean;
}

type EnumNode = Extract<AvroNode, { kind: "enum" }>;

/** Undefined where the one cannot be read as the other. Neither is a union or null. */
export function scalarReader(
  type: ValueType,
  reader: AvroNode,
  writer: AvroNode,
  bytes: AvroReader,
): ScalarReader | undefined {
  // What was written says best in which unit.
  const logical = logicalOf(writer) ?? logicalOf(reader);
  switch (reader.kind) {
    case "boolean":
      return writer.kind === "boolean" && type.kind === "boolean" ? { read: () => bytes.byte() === 1 } : undefined;
    case "int":
      return writer.kind === "int" ? integer(type, "int", logical, bytes) : undefined;
    case "long":
      return writer.kind === "int" || writer.kind === "long" ? integer(type, "long", logical, bytes) : undefined;
    case "float":
    case "double":
      return type.kind === "double" ? number(writer, bytes) : undefined;
    case "string":
    case "bytes":
      if (writer.kind !== "string" && writer.kind !== "bytes") return undefined;
      return texts(type, reader.kind, logical, () => bytes.blob(textBytesMax).slice(), bytes);
    case "fixed": {
      if (writer.kind !== "fixed" || writer.size !== reader.size) return undefined;
      const { size } = writer;
      const take = (): Uint8Array => {
        if (size > bytes.remaining) throw bytes.fail("the record ends too early");
        return Uint8Array.from({ length: size }, () => bytes.byte());
      };
      if (type.kind === "bytes") return { read: take };
      if (type.kind !== "string") return undefined;
      if (logical?.name === "uuid") return { read: () => uuidOf(take()) };
      return logical?.name === "decimal" ? { read: () => decimalOf(take(), logical.scale) } : undefined;
    }
    case "enum":
      return writer.kind === "enum" ? symbols(type, reader, writer, bytes) : undefined;
    default:
      return undefined;
  }
}

function logicalOf(node: AvroNode): LogicalType | undefined {
  return "logical" in node ? node.logical : undefined;
}

function integer(
  type: ValueType,
  size: "int" | "long",
  logical: LogicalType | undefined,
  bytes: AvroReader,
): ScalarReader | undefined {
  switch (type.kind) {
    case "int32":
      return size === "int" ? { read: () => Number(bytes.long()) } : undefined;
    case "int64":
      return { read: () => bytes.long() };
    case "double":
      return { read: () => Number(bytes.long()) };
    case "string":
      return logical === undefined ? { read: () => String(bytes.long()) } : undefined;
    case "timestamp":
      return moment(logical, size, bytes);
    default:
      return undefined;
  }
}

const finer: Readonly<Record<string, bigint>> = {
  "timestamp-micros": 1_000n,
  "local-timestamp-micros": 1_000n,
  "timestamp-nanos": 1_000_000n,
  "local-timestamp-nanos": 1_000_000n,
};
const dayMs = 86_400_000;

function moment(logical: LogicalType | undefined, size: "int" | "long", bytes: AvroReader): ScalarReader | undefined {
  const name = logical?.name;
  const local = name?.startsWith("local-") === true ? "a time without a zone is taken as UTC" : undefined;
  if (name === "date") return { read: () => Number(bytes.long()) * dayMs, mind: "a date is its midnight in UTC" };
  const divisor = name === undefined ? undefined : finer[name];
  if (divisor !== undefined) {
    const cut = "what is finer than a millisecond is cut off";
    return {
      read: () => Number(floorDiv(BigInt(bytes.long()), divisor)),
      mind: local === undefined ? cut : `${local}, and ${cut}`,
    };
  }
  if (name === "timestamp-millis") return { read: () => Number(bytes.long()) };
  if (local !== undefined) return { read: () => Number(bytes.long()), mind: local };
  if (name !== undefined || size === "int") return undefined;
  return { read: () => Number(bytes.long()), mind: "a plain long is taken as milliseconds since 1970" };
}

function floorDiv(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value % divisor < 0n ? quotient - 1n : quotient;
}

function number(writer: AvroNode, bytes: AvroReader): ScalarReader | undefined {
  switch (writer.kind) {
    case "int":
    case "long":
      return { read: () => Number(bytes.long()) };
    case "float":
      return { read: () => readFloat(bytes) };
    case "double":
      return { read: () => bytes.double() };
    default:
      return undefined;
  }
}

function texts(
  type: ValueType,
  kind: "string" | "bytes",
  logical: LogicalType | undefined,
  take: () => Uint8Array,
  bytes: AvroReader,
): ScalarReader | undefined {
  if (type.kind === "bytes") return { read: take };
  if (type.kind === "string") {
    if (logical?.name === "decimal") return { read: () => decimalOf(take(), logical.scale) };
    return logical?.name === "big-decimal" ? undefined : { read: () => bytes.text(textBytesMax) };
  }
  if (kind === "bytes") return undefined;
  const read = (): string => bytes.text(textBytesMax);
  if (type.kind === "enum") return { read, mind: "texts that are none of the symbols cannot be read", partly: true };
  if (type.kind !== "timestamp") return undefined;
  return { read, mind: "texts that are no ISO 8601 time with seconds and zone cannot be read", partly: true };
}

function symbols(type: ValueType, reader: EnumNode, writer: EnumNode, bytes: AvroReader): ScalarReader | undefined {
  if (type.kind !== "enum" && type.kind !== "string") return undefined;
  const known = new Set(reader.symbols);
  const read = writer.symbols.map((symbol) => (known.has(symbol) ? symbol : reader.default));
  const ours = type.kind === "enum" ? new Set(type.symbols) : undefined;
  const lost = writer.symbols.filter((_, i) => read[i] === undefined || ours?.has(read[i]) === false);
  return {
    read: () => {
      const symbol = read[branchIndex(bytes, read.length)];
      if (symbol === undefined) throw bytes.fail("an enum has a symbol that the reader's schema lacks");
      return symbol;
    },
    ...(lost.length > 0 && { mind: `records with ${lost.slice(0, 20).join(", ")} cannot be read`, partly: true }),
  };
}

const decimalBytesMax = 1_000;

/** The text of a big endian two's complement integer of so many decimal places: `-12.50`. */
function decimalOf(bytes: Uint8Array, scale: number): string {
  if (bytes.length > decimalBytesMax) {
    throw new RdgError("invalid", "bad_avro", `A decimal has more than ${decimalBytesMax} bytes.`);
  }
  let unscaled = 0n;
  for (const byte of bytes) unscaled = (unscaled << 8n) | BigInt(byte);
  if (bytes.length > 0) unscaled = BigInt.asIntN(8 * bytes.length, unscaled);
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  return `${unscaled < 0n ? "-" : ""}${whole}${scale === 0 ? "" : `.${digits.slice(-scale)}`}`;
}

function uuidOf(bytes: Uint8Array): string {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
