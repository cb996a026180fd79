// Cells as registers: of two writes of one cell Cassandra keeps the greater bytes (all are written at one timestamp), so every policy is a form of bytes whose
// greatest is what the policy keeps. Hot path of writes.
//
//   time      int64 big endian, sign bit flipped: the latest wins; complemented: the earliest wins
//   last      time, encoded value              first   the same, complemented, with the value's end marked
//   max       encoded value                    min     the same, complemented, with the value's end marked
//   counter   offset, absolute count           of one source, 8 bytes each
//
// Complementing turns the order round, but for prefixes: so strings and bytes are written with their end (00 becomes 00 FF, the end is 00 00).
import type { PropertyModel } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";
import { type PropertyColumn, stateAbsent, stateNull } from "../../model/update/batch.ts";
import { decodeValue, numberEncodingOf, writeEncodedNumber } from "../../model/update/encoded-value.ts";
import { isOpaque, valueOfAvro } from "../../model/update/opaque-value.ts";

const timeBytes = 8;
const counterBytes = 16;

/** The time as a register that keeps the latest. */
export function timeCell(timeMs: number): Buffer {
  const cell = Buffer.allocUnsafe(timeBytes);
  writeTime(cell, timeMs);
  return cell;
}

/** The time as a register that keeps the earliest. */
export function earliestCell(timeMs: number): Buffer {
  return complement(timeCell(timeMs));
}

export function timeOfCell(cell: Buffer): number {
  return (cell.readUInt32BE(0) - 0x80000000) * 4294967296 + cell.readUInt32BE(4);
}

export function timeOfEarliestCell(cell: Buffer): number {
  return (0x7fffffff - cell.readUInt32BE(0)) * 4294967296 + (0xffffffff - cell.readUInt32BE(4));
}

/** A bigint as the server takes it: for clustering columns and timestamps. Values are safe integers. */
export function bigintCell(value: number): Buffer {
  const cell = Buffer.allocUnsafe(8);
  const high = Math.floor(value / 4294967296);
  cell.writeInt32BE(high, 0);
  cell.writeUInt32BE(value - high * 4294967296, 4);
  return cell;
}

export function intCell(value: number): Buffer {
  const cell = Buffer.allocUnsafe(4);
  cell.writeInt32BE(value, 0);
  return cell;
}

export function counterCell(offset: number, absolute: bigint): Buffer {
  const cell = Buffer.allocUnsafe(counterBytes);
  cell.writeBigUInt64BE(BigInt(offset), 0);
  cell.writeBigInt64BE(BigInt.asIntN(64, absolute), 8);
  return cell;
}

export interface CounterRegister {
  /** Last offset of its source that is counted. */
  readonly offset: number;
  readonly absolute: bigint;
}

export function counterOfCell(cell: Buffer): CounterRegister {
  return { offset: Number(cell.readBigUInt64BE(0)), absolute: cell.readBigInt64BE(8) };
}

/**
 * The cell of one row's contribution to a register; undefined when it contributes nothing.
 * @param usualMs the contribution's time where the column has no times of its own
 */
export function registerCell(
  property: PropertyModel,
  column: Extract<PropertyColumn, { form: "number" | "int64" | "bytes" }>,
  row: number,
  usualMs: number,
): Buffer | undefined {
  const state = column.states?.[row];
  if (state === stateAbsent) return undefined;
  const { merge } = property;
  const start = merge === "last" || merge === "first" ? timeBytes : 0;
  const marksEnd = merge === "first" || merge === "min";
  const cell =
    state === stateNull
      ? nullCell(start)
      : column.form === "bytes"
        ? bytesCell(column.values, row, start, marksEnd)
        : numberCell(
            property,
            column.form === "int64" ? (column.exact ?? column.values)[row]! : column.values[row]!,
            start,
          );
  if (start > 0) writeTime(cell, column.timesMs?.[row] ?? usualMs);
  return marksEnd ? complement(cell) : cell;
}

/** Time of a `last` register. */
export function timeOfLast(cell: Buffer): number {
  return timeOfCell(cell);
}

/** What a register of this property holds. */
export function valueOfRegister(property: PropertyModel, cell: Buffer): PropertyValue {
  const { merge, type } = property;
  const start = merge === "last" || merge === "first" ? timeBytes : 0;
  if (merge === "last" || merge === "max") return answered(property, decodeValue(type, cell, start));
  const turned = complement(Buffer.from(cell));
  const value = numberEncodingOf(type) === undefined ? withoutEnd(turned, start) : turned.subarray(start);
  return answered(property, decodeValue(type, value));
}

/** What an item of a set is. */
export function valueOfItem(property: PropertyModel, item: Buffer): PropertyValue {
  return decodeValue(property.type, item);
}

function answered({ type }: PropertyModel, value: PropertyValue): PropertyValue {
  return isOpaque(type) && value instanceof Uint8Array ? valueOfAvro(type, value) : value;
}

function writeTime(cell: Buffer, timeMs: number): void {
  const high = Math.floor(timeMs / 4294967296);
  cell.writeUInt32BE(high + 0x80000000, 0);
  cell.writeUInt32BE(timeMs - high * 4294967296, 4);
}

function complement(cell: Buffer): Buffer {
  for (let i = 0; i < cell.length; i++) cell[i] = ~cell[i]!;
  return cell;
}

function nullCell(start: number): Buffer {
  const cell = Buffer.allocUnsafe(start + 1);
  cell[start] = 0;
  return cell;
}

const number = new Uint8Array(9);

function numberCell({ type }: PropertyModel, value: number | bigint, start: number): Buffer {
  const length = writeEncodedNumber(number, numberEncodingOf(type)!, value);
  const cell = Buffer.allocUnsafe(start + length);
  for (let i = 0; i < length; i++) cell[start + i] = number[i]!;
  return cell;
}

function bytesCell(
  { bytes, starts }: { readonly bytes: Uint8Array; readonly starts: Uint32Array },
  row: number,
  start: number,
  marksEnd: boolean,
): Buffer {
  const [from, to] = [starts[row]!, starts[row + 1]!];
  let zeros = 0;
  if (marksEnd) for (let i = from; i < to; i++) if (bytes[i] === 0) zeros++;
  const cell = Buffer.allocUnsafe(start + 1 + to - from + (marksEnd ? zeros + 2 : 0));
  let at = start;
  cell[at++] = 1;
  if (!marksEnd) {
    cell.set(bytes.subarray(from, to), at);
    return cell;
  }
  for (let i = from; i < to; i++) {
    cell[at++] = bytes[i]!;
    if (bytes[i] === 0) cell[at++] = 0xff;
  }
  cell[at++] = 0;
  cell[at] = 0;
  return cell;
}

/** The encoded value that was written with its end, from `start`. */
function withoutEnd(cell: Buffer, start: number): Buffer {
  if (cell[start] === 0) return cell.subarray(start, start + 1);
  const value = Buffer.allocUnsafe(cell.length - start);
  let length = 0;
  value[length++] = 1;
  for (let i = start + 1; i < cell.length - 2; i++) {
    value[length++] = cell[i]!;
    if (cell[i] === 0) i++;
  }
  return value.subarray(0, length);
}
