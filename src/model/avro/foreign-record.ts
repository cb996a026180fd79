// Reads records that were written with another Avro schema than the definition's own, by Avro's schema resolution: fields by name, number promotions, text as
// bytes and back, what the definition does not know passed over. The values are what json-record.ts validates; whoever calls validates them.
//
// The bytes and the schema are anybody's: every read is bounded by the bytes, everything passed over that takes no bytes by a budget, and depth by a bound.
import { RdgError } from "../../core/errors.ts";
import type { FieldModel, ValueType } from "../value-type.ts";
import type { AvroReader } from "./avro-reader.ts";
import { branchIndex, PassingOver, readBlocks, readFloat } from "./foreign-values.ts";
import { itemsMax, textBytesMax } from "./json-values.ts";
import { readingProblems } from "./schema-resolution.ts";
import { type AvroNode, parseAvroSchema } from "./schema-tree.ts";

/** @throws RdgError invalid, `bad_avro` */
export type ForeignRecordReader = (bytes: Uint8Array, start: number, end: number) => unknown;

/**
 * @param schema the definition's own schema, `fields` what it stands for
 * @throws RdgError invalid, `unresolvable_schema`, when records of the writer's schema cannot be read with the definition's
 */
export function compileForeignRecordReader(
  fields: readonly FieldModel[],
  schema: string,
  writerSchema: string,
): ForeignRecordReader {
  const writer = parseAvroSchema(writerSchema).root;
  const problems = readingProblems(parseAvroSchema(schema).root, writer);
  if (problems.length > 0) {
    throw new RdgError(
      "invalid",
      "unresolvable_schema",
      `The schema of the record does not fit: ${problems.join("; ")}.`,
      {
        hint: "Write records with a schema that the definition's own can read, or with the definition's own.",
      },
    );
  }
  const passing = new PassingOver();
  const read = valueReader({ kind: "record", fields }, writer, { passing, reads: new Map() });
  return (bytes, start, end) => {
    passing.open(bytes, start, end);
    const value = read();
    passing.reader.finish();
    return value;
  };
}

interface Compilation {
  readonly passing: PassingOver;
  /** By the writer's type and ours, so that what is referred to many times is compiled once. */
  readonly reads: Map<AvroNode, Map<ValueType, Read>>;
}

type Read = () => unknown;

/** What `type` makes of what `writer` wrote. The static check has passed, so every pair that occurs has a meaning. */
function valueReader(type: ValueType, writer: AvroNode, compilation: Compilation): Read {
  const reads = compilation.reads.get(writer) ?? new Map<ValueType, Read>();
  const read = reads.get(type) ?? plainValueReader(type, writer, compilation);
  compilation.reads.set(writer, reads.set(type, read));
  return read;
}

function plainValueReader(type: ValueType, writer: AvroNode, compilation: Compilation): Read {
  const { reader } = compilation.passing;
  if (writer.kind === "union") {
    const branches = writer.branches.map((branch) => valueReader(type, branch, compilation));
    return () => branches[branchIndex(reader, branches.length)]!();
  }
  if (writer.kind === "record" && type.kind === "record") return recordReader(type.fields, writer, compilation);
  if (writer.kind === "array" && type.kind === "array") {
    return arrayReader(reader, valueReader(type.item, writer.items, compilation));
  }
  if (writer.kind === "map" && type.kind === "map") {
    return mapReader(reader, valueReader(type.value, writer.values, compilation));
  }
  return scalarReader(type, writer, reader);
}

function scalarReader(type: ValueType, writer: AvroNode, reader: AvroReader): Read {
  switch (writer.kind) {
    case "null":
      return () => null;
    case "boolean":
      return () => reader.byte() === 1;
    case "int":
    case "long":
      // A timestamp's and a double's value is a number, also beyond the safe integers: then validation, or rounding, is what is asked for.
      return type.kind === "int64" ? () => reader.long() : () => Number(reader.long());
    case "float":
      return () => readFloat(reader);
    case "double":
      return () => reader.double();
    case "string":
    case "bytes":
      return type.kind === "bytes" ? () => reader.blob(textBytesMax).slice() : () => reader.text(textBytesMax);
    case "enum":
      return () => writer.symbols[branchIndex(reader, writer.symbols.length)];
    default:
      throw new RdgError("internal", "assertion_failed", `A ${writer.kind} passed for a ${type.kind}.`);
  }
}

type RecordNode = Extract<AvroNode, { kind: "record" }>;

function recordReader(fields: readonly FieldModel[], writer: RecordNode, compilation: Compilation): Read {
  const byName = new Map(fields.map((field) => [field.name, field]));
  const steps = writer.fields.map(({ name, type }) => {
    const field = byName.get(name);
    if (field === undefined) return { name: undefined, read: compilation.passing.skipper(type) };
    return { name, read: valueReader(field.type, type, compilation) };
  });
  return () => {
    // Without a prototype, so that a field may be called `__proto__`.
    const record = Object.create(null) as Record<string, unknown>;
    for (const { name, read } of steps) {
      const value = read();
      if (name !== undefined) record[name] = value;
    }
    return record;
  };
}

function arrayReader(reader: AvroReader, read: Read): Read {
  return () => {
    const items: unknown[] = [];
    readBlocks(reader, itemsMax, () => items.push(read()));
    return items;
  };
}

function mapReader(reader: AvroReader, read: Read): Read {
  return () => {
    const entries = Object.create(null) as Record<string, unknown>;
    readBlocks(reader, itemsMax, () => {
      const name = reader.text(textBytesMax);
      entries[name] = read();
    });
    return entries;
  };
}
