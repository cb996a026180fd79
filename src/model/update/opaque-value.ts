// Opaque property values (arrays, maps, records) are held as their Avro bytes; this reads them for answers.
import type { ValueType } from "../definition.ts";
import type { PropertyValue } from "../filter.ts";
import { canonicalInt64 } from "./int64.ts";

/** Whether values of this type are held as Avro bytes. */
export function isOpaque(type: ValueType): boolean {
  return type.kind === "array" || type.kind === "map" || type.kind === "record";
}

/** The value whose Avro binary form begins at `start`. Optional fields of records are unions with null first. */
export function valueOfAvro(type: ValueType, bytes: Uint8Array, start = 0): PropertyValue {
  return new AvroReader(bytes, start).read(type);
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

class AvroReader {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  read(type: ValueType): PropertyValue {
    switch (type.kind) {
      case "boolean":
        return this.#bytes[this.#at++] !== 0;
      case "int32":
      case "int64":
      case "timestamp":
        return this.#long();
      case "double":
        return this.#double();
      case "enum":
        return type.symbols[Number(this.#long())] ?? null;
      case "string":
        return this.#text();
      case "bytes":
        // Not slice(): that of a Buffer is a view.
        return new Uint8Array(this.#slice());
      case "array":
        return this.#blocks(() => this.read(type.item));
      case "map":
        return withoutPrototype(this.#blocks(() => [this.#text(), this.read(type.value)] as const));
      case "record":
        return withoutPrototype(
          type.fields.flatMap((field) =>
            field.optional && this.#long() === 0 ? [] : [[field.name, this.read(field.type)] as const],
          ),
        );
    }
  }

  #blocks<T>(item: () => T): T[] {
    const items: T[] = [];
    for (;;) {
      const count = Number(this.#long());
      if (count === 0) return items;
      if (count < 0) this.#long();
      for (let i = 0; i < Math.abs(count); i++) items.push(item());
    }
  }

  #text(): string {
    return decoder.decode(this.#slice());
  }

  #slice(): Uint8Array {
    const length = Number(this.#long());
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #double(): number {
    this.#at += 8;
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset).getFloat64(this.#at - 8, true);
  }

  #long(): number | bigint {
    let zigzag = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#bytes[this.#at++]!;
      zigzag |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return canonicalInt64((zigzag >> 1n) ^ -(zigzag & 1n));
  }
}

function withoutPrototype(entries: readonly (readonly [string, PropertyValue])[]): {
  readonly [name: string]: PropertyValue;
} {
  const object: Record<string, PropertyValue> = Object.create(null) as Record<string, PropertyValue>;
  for (const [name, value] of entries) object[name] = value;
  return object;
}
