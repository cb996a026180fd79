// The naive, strict reader of Avro records: one value at a time, every malformation named by its field. It defines what a well-formed record is, serves
// the interpreter, and words the cause when the compiled walk, which only says yes or no, has refused an event.
import { RdgError } from "../../core/errors.ts";
import { itemsMax, textBytesMax, timestampMaxMs } from "../../model/avro/json-values.ts";
import type { FieldModel, ValueType } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";

export type RecordValue = { readonly [name: string]: PropertyValue };

/**
 * Reads `bytes[start, end)`, which must be exactly one record. Optional fields that are absent are left out; timestamps are ms, int64 canonical.
 * @throws RdgError invalid, `malformed_record`, with the field's path as its place
 */
export function decodeRecord(
  fields: readonly FieldModel[],
  bytes: Uint8Array,
  start: number,
  end: number,
): RecordValue {
  const reader = new Reader(bytes, start, end);
  const record = reader.record(fields, "");
  if (reader.position !== end) throw malformed("", `${end - reader.position} bytes follow the last field`);
  return record;
}

function malformed(place: string, what: string): RdgError {
  return new RdgError("invalid", "malformed_record", `The record is malformed: ${what}.`, {
    ...(place === "" ? {} : { place }),
    hint: "Write events with the schema that is registered for them.",
  });
}

class Reader {
  private readonly bytes: Uint8Array;
  private readonly end: number;
  position: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  record(fields: readonly FieldModel[], place: string): RecordValue {
    const record = Object.create(null) as Record<string, PropertyValue>;
    for (const field of fields) {
      const inner = place === "" ? field.name : `${place}.${field.name}`;
      const branch = field.optional ? this.long(inner) : 1n;
      if (branch !== 0n && branch !== 1n) throw malformed(inner, `a union of two has no branch ${branch}`);
      if (branch === 1n) record[field.name] = this.value(field.type, inner);
    }
    return record;
  }

  private value(type: ValueType, place: string): PropertyValue {
    switch (type.kind) {
      case "string":
        return this.text(place);
      case "bytes":
        return new Uint8Array(this.take(Number(this.within(0n, BigInt(textBytesMax), place)), place));
      case "boolean": {
        const byte = this.take(1, place)[0]!;
        if (byte > 1) throw malformed(place, `${byte} is no boolean`);
        return byte === 1;
      }
      case "int32":
        return Number(this.within(-0x80000000n, 0x7fffffffn, place));
      case "int64": {
        const value = this.long(place);
        return Number.isSafeInteger(Number(value)) ? Number(value) : value;
      }
      case "timestamp":
        return Number(this.within(-BigInt(timestampMaxMs), BigInt(timestampMaxMs), place));
      case "double": {
        const raw = this.take(8, place);
        const value = new DataView(raw.buffer, raw.byteOffset, 8).getFloat64(0, true);
        if (!Number.isFinite(value)) throw malformed(place, "a double is NaN or infinite");
        return value === 0 ? 0 : value;
      }
      case "enum":
        return type.symbols[Number(this.within(0n, BigInt(type.symbols.length - 1), place))]!;
      case "record":
        return this.record(type.fields, place);
      case "array": {
        const items: PropertyValue[] = [];
        this.blocks(place, () => items.push(this.value(type.item, `${place}[${items.length}]`)));
        return items;
      }
      case "map": {
        const entries = Object.create(null) as Record<string, PropertyValue>;
        this.blocks(place, () => {
          const key = this.text(place);
          entries[key] = this.value(type.value, `${place}.${key}`);
        });
        return entries;
      }
    }
  }

  private blocks(place: string, item: () => void): void {
    let total = 0n;
    for (;;) {
      const count = this.within(BigInt(-itemsMax), BigInt(itemsMax), place);
      if (count === 0n) return;
      total += count < 0n ? -count : count;
      if (total > itemsMax) throw malformed(place, `there are more than ${itemsMax} items`);
      const size = count < 0n ? Number(this.within(0n, 0x7fffffffn, place)) : undefined;
      const stop = size === undefined ? undefined : this.position + size;
      for (let left = count < 0n ? -count : count; left > 0n; left--) item();
      if (stop !== undefined && this.position !== stop)
        throw malformed(place, "a block has another length than it says");
    }
  }

  private text(place: string): string {
    const bytes = this.take(Number(this.within(0n, BigInt(textBytesMax), place)), place);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw malformed(place, "a string is no UTF-8");
    }
  }

  private within(least: bigint, most: bigint, place: string): bigint {
    const value = this.long(place);
    if (value < least || value > most) throw malformed(place, `${value} is not between ${least} and ${most}`);
    return value;
  }

  private long(place: string): bigint {
    let raw = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.take(1, place)[0]!;
      raw |= BigInt(byte & 127) << shift;
      if (byte < 128) {
        if (raw >= 1n << 64n) break;
        return (raw >> 1n) ^ -(raw & 1n);
      }
    }
    throw malformed(place, "a number is longer than 64 bits");
  }

  private take(length: number, place: string): Uint8Array {
    if (length > this.end - this.position) throw malformed(place, "the record ends too early");
    const bytes = this.bytes.subarray(this.position, this.position + length);
    this.position += length;
    return bytes;
  }
}
