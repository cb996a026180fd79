// Hot path: entries of the cache as bytes, as the second tier keeps them. Read in other processes, perhaps of another release and after who knows what
// happened on the way: bytes that are not exactly an entry are none.
//
//   crc32 of what follows (4) · mark of the positions that it has seen (12) · flags (1) · a node or a head
//   node, when visible: first seen, last seen (float64) · count · (property, value) …
//   head: since (float64) · count · ids · first seen …, last seen … (float64) · count of columns · (property, value …) …
//
// Counts, indexes and lengths are LEB128; numbers are little endian. Another layout needs another `entryFormat`, which is part of every key.
import { crc32 } from "node:zlib";
import type { PropertyValue } from "../../model/filter.ts";
import type { HeldHead, HeldNode } from "./elements.ts";
import { markBytes } from "./seen-positions.ts";

export const entryFormat = 1;

export type SharedNode = Omit<HeldNode, "readMs" | "expiresMs">;
export type SharedHead = Omit<HeldHead, "readMs" | "generation">;

const headerBytes = 4 + markBytes;
const bodyAt = headerBytes + 1;
const isHead = 1;
const isMentioned = 2;
const isVisible = 4;
const isComplete = 8;
/** Of lists and records within each other. */
const depthMax = 64;

const tags = {
  absent: 0,
  null: 1,
  false: 2,
  true: 3,
  double: 4,
  int: 5,
  bigint: 6,
  text: 7,
  bytes: 8,
  list: 9,
  record: 10,
} as const;

/** @param mark of what it has seen */
export function encodeNode(node: SharedNode, mark: Uint8Array): Uint8Array {
  const writer = new EntryWriter(mark, (node.mentioned ? isMentioned : 0) | (node.visible ? isVisible : 0));
  if (!node.visible) return writer.finish();
  writer.double(node.firstSeenMs);
  writer.double(node.lastSeenMs);
  writer.count(node.properties.size);
  for (const [property, value] of node.properties) {
    writer.count(property);
    writer.value(value);
  }
  return writer.finish();
}

export function encodeHead(head: SharedHead, mark: Uint8Array): Uint8Array {
  const writer = new EntryWriter(mark, isHead | (head.complete ? isComplete : 0));
  writer.double(head.sinceMs);
  writer.count(head.neighbours.length);
  for (const id of head.neighbours) writer.text(id);
  for (const ms of head.firstSeenMs) writer.double(ms);
  for (const ms of head.lastSeenMs) writer.double(ms);
  writer.count(head.properties.size);
  for (const [property, column] of head.properties) {
    writer.count(property);
    for (const value of column) writer.value(value);
  }
  return writer.finish();
}

/** Undefined when it is too short to be an entry. */
export function markIn(entry: Uint8Array): Buffer | undefined {
  if (entry.length < bodyAt) return undefined;
  return Buffer.from(entry.buffer, entry.byteOffset + 4, markBytes);
}

/** Undefined for what `encodeNode` did not write. */
export function decodeNode(entry: Uint8Array): SharedNode | undefined {
  return decode(entry, (reader, flags) => {
    if ((flags & ~(isMentioned | isVisible)) !== 0) return undefined;
    const [mentioned, visible] = [(flags & isMentioned) !== 0, (flags & isVisible) !== 0];
    if (!visible) return { mentioned, visible, firstSeenMs: 0, lastSeenMs: 0, properties: new Map() };
    const [firstSeenMs, lastSeenMs] = [reader.double(), reader.double()];
    const properties = new Map<number, PropertyValue>();
    for (let left = reader.count(); left > 0; left--) properties.set(reader.count(), reader.value());
    return { mentioned, visible, firstSeenMs, lastSeenMs, properties };
  });
}

/** Undefined for what `encodeHead` did not write. */
export function decodeHead(entry: Uint8Array): SharedHead | undefined {
  return decode(entry, (reader, flags) => {
    if ((flags & ~isComplete) !== isHead) return undefined;
    const sinceMs = reader.double();
    const count = reader.count();
    const neighbours = Array.from({ length: count }, () => reader.text());
    const firstSeenMs = Float64Array.from({ length: count }, () => reader.double());
    const lastSeenMs = Float64Array.from({ length: count }, () => reader.double());
    const properties = new Map<number, readonly PropertyValue[]>();
    for (let left = reader.count(); left > 0; left--) {
      const property = reader.count();
      properties.set(
        property,
        Array.from({ length: count }, () => reader.value()),
      );
    }
    return { sinceMs, neighbours, firstSeenMs, lastSeenMs, properties, complete: (flags & isComplete) !== 0 };
  });
}

function decode<T>(entry: Uint8Array, read: (reader: EntryReader, flags: number) => T | undefined): T | undefined {
  if (entry.length < bodyAt) return undefined;
  const bytes = Buffer.from(entry.buffer, entry.byteOffset, entry.length);
  if (crc32(bytes.subarray(4)) !== bytes.readUInt32LE(0)) return undefined;
  const reader = new EntryReader(bytes, bodyAt);
  try {
    const decoded = read(reader, bytes[headerBytes]!);
    return reader.isAtEnd ? decoded : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

class EntryWriter {
  #bytes: Buffer = Buffer.allocUnsafe(512);
  #at = headerBytes;

  constructor(mark: Uint8Array, flags: number) {
    this.#bytes.set(mark, 4);
    this.#bytes[this.#at++] = flags;
  }

  finish(): Uint8Array {
    this.#bytes.writeUInt32LE(crc32(this.#bytes.subarray(4, this.#at)), 0);
    return this.#bytes.subarray(0, this.#at);
  }

  double(value: number): void {
    this.#room(8);
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
  }

  count(value: number): void {
    this.#room(8);
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#at++] = rest;
  }

  text(value: string): void {
    this.blob(Buffer.from(value));
  }

  blob(value: Uint8Array): void {
    this.count(value.length);
    this.#room(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  value(value: PropertyValue): void {
    if (value === undefined) return this.#tag(tags.absent);
    if (value === null) return this.#tag(tags.null);
    if (value === false) return this.#tag(tags.false);
    if (value === true) return this.#tag(tags.true);
    if (typeof value === "number") return this.#number(value);
    if (typeof value === "string") {
      this.#tag(tags.text);
      return this.text(value);
    }
    if (typeof value === "bigint") {
      this.#tag(tags.bigint);
      this.#room(8);
      this.#at = this.#bytes.writeBigInt64LE(value, this.#at);
      return;
    }
    if (value instanceof Uint8Array) {
      this.#tag(tags.bytes);
      return this.blob(value);
    }
    if (Array.isArray(value)) {
      this.#tag(tags.list);
      this.count(value.length);
      for (const item of value as readonly PropertyValue[]) this.value(item);
      return;
    }
    this.#tag(tags.record);
    const fields = Object.entries(value);
    this.count(fields.length);
    for (const [name, content] of fields) {
      this.text(name);
      this.value(content);
    }
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value) && value >= 0 && value < 2 ** 42) {
      this.#tag(tags.int);
      return this.count(value);
    }
    this.#tag(tags.double);
    this.double(value);
  }

  #tag(tag: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = tag;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + bytes));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}

/** Throws RangeErrors where the bytes end or mean nothing. */
class EntryReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  double(): number {
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  /** Of things that follow or an index: never more than there are bytes, so that nothing large is allocated for what is not there. */
  count(): number {
    const value = this.#integer();
    if (value > this.#bytes.length) throw new RangeError("More than there are bytes.");
    return value;
  }

  #integer(): number {
    let [value, unit] = [0, 1];
    for (;;) {
      const byte = this.#bytes.readUInt8(this.#at++);
      value += (byte & 127) * unit;
      if (byte < 128) return value;
      unit *= 128;
      if (unit > 2 ** 42) throw new RangeError("No such integer is written.");
    }
  }

  text(): string {
    const start = this.#skip();
    return this.#bytes.toString("utf8", start, this.#at);
  }

  /** Over a length and what follows; where that begins. */
  #skip(): number {
    const length = this.count();
    const start = this.#at;
    if (start + length > this.#bytes.length) throw new RangeError("It ends too early.");
    this.#at += length;
    return start;
  }

  value(depth = 0): PropertyValue {
    if (depth > depthMax) throw new RangeError("Nothing is so deep.");
    const tag = this.#bytes.readUInt8(this.#at++);
    switch (tag) {
      case tags.absent:
        return undefined;
      case tags.null:
        return null;
      case tags.false:
        return false;
      case tags.true:
        return true;
      case tags.double:
        return this.double();
      case tags.int:
        return this.#integer();
      case tags.bigint:
        this.#at += 8;
        return this.#bytes.readBigInt64LE(this.#at - 8);
      case tags.text:
        return this.text();
      case tags.bytes: {
        const start = this.#skip();
        return Uint8Array.from(this.#bytes.subarray(start, this.#at));
      }
      case tags.list:
        return Array.from({ length: this.count() }, () => this.value(depth + 1));
      case tags.record: {
        const record: Record<string, PropertyValue> = Object.create(null) as Record<string, PropertyValue>;
        for (let left = this.count(); left > 0; left--) record[this.text()] = this.value(depth + 1);
        return record;
      }
      default:
        throw new RangeError("There is no such value.");
    }
  }
}
