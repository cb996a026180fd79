// What reading records of a foreign schema takes beyond single values: blocks, branches, and passing over what nobody asked for.
//
// The bytes and the schema are anybody's: every read is bounded by the bytes, everything passed over that takes no bytes by a budget, and depth by a bound.
import { AvroReader } from "./avro-reader.ts";
import { textBytesMax } from "./json-values.ts";
import type { AvroNode } from "./schema-tree.ts";

const depthMax = 200;
/** Items, fields and branches passed over in one record. */
const skippedMax = 1_000_000;

/** A reader of one record at a time, and compiled ways to pass over values of the writer's types. */
export class PassingOver {
  readonly reader = new AvroReader();
  /** By the writer's type, so that recursive types end. */
  readonly #skips = new Map<AvroNode, () => void>();
  #skipped = 0;
  #depth = 0;

  open(bytes: Uint8Array, start: number, end: number): void {
    this.reader.open(bytes, start, end);
    this.#skipped = 0;
    this.#depth = 0;
  }

  skipper(node: AvroNode): () => void {
    const known = this.#skips.get(node);
    if (known !== undefined) return known;
    const bounded = (): void => {
      if (++this.#skipped > skippedMax) throw this.reader.fail(`more than ${skippedMax} values are passed over`);
      if (++this.#depth > depthMax) throw this.reader.fail(`values are nested deeper than ${depthMax} levels`);
      skip();
      this.#depth--;
    };
    this.#skips.set(node, bounded);
    const skip = this.#plain(node);
    return bounded;
  }

  #plain(node: AvroNode): () => void {
    const { reader } = this;
    switch (node.kind) {
      case "null":
        return () => undefined;
      case "boolean":
        return () => void reader.byte();
      case "int":
      case "long":
      case "enum":
        return () => void reader.long();
      case "float":
        return () => skipBytes(reader, 4);
      case "double":
        return () => skipBytes(reader, 8);
      case "bytes":
      case "string":
        return () => void reader.blob(Number.MAX_SAFE_INTEGER);
      case "fixed":
        return () => skipBytes(reader, node.size);
      case "array": {
        const skip = this.skipper(node.items);
        return () => readBlocks(reader, skippedMax, skip);
      }
      case "map": {
        const skip = this.skipper(node.values);
        return () =>
          readBlocks(reader, skippedMax, () => {
            reader.blob(textBytesMax);
            skip();
          });
      }
      case "union": {
        const branches = node.branches.map((branch) => this.skipper(branch));
        return () => branches[branchIndex(reader, branches.length)]!();
      }
      case "record": {
        const fields = node.fields.map(({ type }) => this.skipper(type));
        return () => {
          for (const skip of fields) skip();
        };
      }
    }
  }
}

export function readBlocks(reader: AvroReader, countMax: number, read: () => void): void {
  let total = 0;
  for (;;) {
    let count = reader.long();
    if (count === 0) return;
    if (count < 0) {
      count = -count;
      reader.long();
    }
    if (typeof count !== "number" || total + count > countMax)
      throw reader.fail(`an array or map has more than ${countMax} items`);
    for (let i = 0; i < count; i++) read();
    total += count;
  }
}

export function branchIndex(reader: AvroReader, count: number): number {
  const index = reader.long();
  if (typeof index !== "number" || index < 0 || index >= count)
    throw reader.fail("a union or enum has no such branch or symbol");
  return index;
}

const floatView = new DataView(new ArrayBuffer(4));

export function readFloat(reader: AvroReader): number {
  for (let i = 0; i < 4; i++) floatView.setUint8(i, reader.byte());
  return floatView.getFloat32(0, true);
}

function skipBytes(reader: AvroReader, count: number): void {
  if (count > reader.remaining) throw reader.fail("the record ends too early");
  reader.position += count;
}
