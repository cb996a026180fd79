// Reads records that somebody else's schema describes into the fields of a definition: by Avro's resolution from the writer's schema to the version that the
// definition was made for, and from there to our types: logical types, unions, texts of numbers. What names of types say is passed over.
//
// The values are what json-record.ts validates; whoever calls validates them. What can be said of two schemas before any record comes is in the findings.
import { RdgError } from "../../core/errors.ts";
import type { FieldModel, ValueType } from "../value-type.ts";
import { encodeDefault } from "./default-value.ts";
import type { ForeignRecordReader } from "./foreign-record.ts";
import { branchIndex, PassingOver, readBlocks } from "./foreign-values.ts";
import { itemsMax, textBytesMax } from "./json-values.ts";
import type { AvroField, AvroNode } from "./schema-tree.ts";
import { scalarReader } from "./source-scalar.ts";
import { branchNames, isMistakable, matchingBranch } from "./union-branches.ts";

/** What will become of records, as far as their schema says. */
export interface SourceFinding {
  /** Path of our field: `lines[].sku`; empty for the record. */
  readonly place: string;
  readonly reason: string;
  /** `every`: no record can be read. `some`: those that it names cannot. `none`: all can, but mind it. */
  readonly unreadable: "every" | "some" | "none";
}

export interface SourceReader {
  /** Refuses every record where a finding says so. @throws RdgError invalid, `bad_avro` or `unresolvable_schema` */
  readonly read: ForeignRecordReader;
  readonly findings: readonly SourceFinding[];
}

/** @param reader the version that the definition was made for; the writer's own where it names none */
export function compileSourceReader(fields: readonly FieldModel[], reader: AvroNode, writer: AvroNode): SourceReader {
  const compilation = new Compilation();
  const type: ValueType = { kind: "record", fields };
  const read = compilation.value(type, reader, writer, { path: "", isItem: false, optional: false });
  const { passing, findings } = compilation;
  const fatal = findings.find(({ unreadable }) => unreadable === "every");
  return {
    findings,
    read(bytes, start, end) {
      if (fatal !== undefined) throw unreadable(fatal);
      passing.open(bytes, start, end);
      const value = read();
      passing.reader.finish();
      return value;
    },
  };
}

function unreadable({ place, reason }: SourceFinding): RdgError {
  return new RdgError("invalid", "unresolvable_schema", `The schema of the record does not fit: ${reason}.`, {
    ...(place !== "" && { place }),
    hint: "Compare the definition with the live schema: rdg plan.",
  });
}

type Read = () => unknown;
type RecordNode = Extract<AvroNode, { kind: "record" }>;
type UnionNode = Extract<AvroNode, { kind: "union" }>;

interface Where {
  readonly path: string;
  /** Of an array or map: nothing can be absent there. */
  readonly isItem: boolean;
  readonly optional: boolean;
}

const findingsMax = 100;

class Compilation {
  readonly passing = new PassingOver();
  readonly findings: SourceFinding[] = [];
  readonly #told = new Set<string>();

  value(type: ValueType, reader: AvroNode, writer: AvroNode, where: Where): Read {
    if (writer.kind === "union") return this.#writtenUnion(type, reader, writer, where);
    if (reader.kind === "union") return this.#readUnion(type, reader, writer, where);
    if (writer.kind === "null") return this.#null(where, reader.kind === "null");
    if (type.kind === "record" && reader.kind === "record" && writer.kind === "record") {
      return this.#record(type.fields, reader, writer, where);
    }
    if (type.kind === "array" && reader.kind === "array" && writer.kind === "array") {
      const read = this.value(type.item, reader.items, writer.items, inside(where, "[]"));
      return this.#array(read);
    }
    if (type.kind === "map" && reader.kind === "map" && writer.kind === "map") {
      return this.#map(this.value(type.value, reader.values, writer.values, inside(where, "{}")));
    }
    const scalar = scalarReader(type, reader, writer, this.passing.reader);
    if (scalar === undefined) return this.#unreadable(where, cannot(type, reader, writer));
    if (scalar.mind !== undefined) this.#find(where, scalar.mind, scalar.partly === true ? "some" : "none");
    return scalar.read;
  }

  /** A branch that cannot be read refuses its own records only. */
  #writtenUnion(type: ValueType, reader: AvroNode, writer: UnionNode, where: Where): Read {
    const refused: SourceFinding[] = [];
    let readable = 0;
    const reads = writer.branches.map((branch) => {
      const before = this.findings.length;
      const read = isMistakable(reader, branch, writer)
        ? this.#unreadable(where, `no type of it is called like ${"name" in branch ? branch.name : branch.kind}`)
        : this.value(type, reader, branch, where);
      const mine = this.findings.slice(before).filter(({ unreadable }) => unreadable === "every");
      if (mine.length === 0) readable++;
      refused.push(...mine);
      return read;
    });
    if (readable > 0) {
      for (const finding of refused) this.findings[this.findings.indexOf(finding)] = { ...finding, unreadable: "some" };
    }
    const { reader: bytes } = this.passing;
    return () => reads[branchIndex(bytes, reads.length)]!();
  }

  #readUnion(type: ValueType, reader: UnionNode, writer: AvroNode, where: Where): Read {
    const index = matchingBranch(reader, writer);
    const branch = index === undefined ? undefined : reader.branches[index];
    if (index === undefined || branch === undefined)
      return this.#unreadable(where, `no type of the union reads ${writer.kind}`);
    const names = branchNames(reader);
    const asBranches = isBranchRecord(type, reader, where.isItem, names);
    if (branch.kind === "null") {
      return asBranches && where.isItem ? () => ({}) : this.#null(where, true);
    }
    if (!asBranches || type.kind !== "record") return this.value(type, branch, writer, where);
    const name = names[index]!;
    const field = type.fields.find((candidate) => candidate.name === name);
    if (field === undefined) {
      this.#find(where, `values of the type ${name} are passed over`, "none");
      const skip = this.passing.skipper(writer);
      return () => {
        skip();
        return {};
      };
    }
    const read = this.value(field.type, branch, writer, inside(where, `.${name}`));
    return () => ({ [name]: read() });
  }

  #record(fields: readonly FieldModel[], reader: RecordNode, writer: RecordNode, where: Where): Read {
    const wanted = new Map(fields.map((field) => [field.name, field]));
    const known = new Map(reader.fields.map((field) => [field.name, field]));
    const source = sourcesOf(reader, writer);
    const steps = writer.fields.map((written): { readonly name: string | undefined; readonly read: Read } => {
      const target = source.get(written);
      const field = target === undefined ? undefined : wanted.get(target.name);
      if (target === undefined || field === undefined)
        return { name: undefined, read: this.passing.skipper(written.type) };
      return { name: target.name, read: this.value(field.type, target.type, written.type, fieldOf(where, field)) };
    });
    const written = new Set([...source.values()].map(({ name }) => name));
    const defaults: (readonly [string, unknown])[] = [];
    for (const field of fields) {
      if (written.has(field.name)) continue;
      const value = this.#missing(field, known.get(field.name), fieldOf(where, field));
      if (value !== undefined) defaults.push([field.name, value]);
    }
    return () => {
      // Without a prototype, so that a field may be called `__proto__`.
      const record = Object.create(null) as Record<string, unknown>;
      for (const { name, read } of steps) {
        const value = read();
        if (name !== undefined) record[name] = value;
      }
      for (const [name, value] of defaults) record[name] = value;
      return record;
    };
  }

  /** What a field is that the writer does not have. */
  #missing(field: FieldModel, target: AvroField | undefined, where: Where): unknown {
    if (target?.hasDefault === true) {
      const bytes = encodeDefault(target.type, target.default);
      if (bytes === undefined) {
        this.#unreadable(where, "the field was not written, and its default is none of its type");
        return undefined;
      }
      const inner = new Compilation();
      const read = inner.value(field.type, target.type, target.type, where);
      inner.passing.open(bytes, 0, bytes.length);
      try {
        return read();
      } catch (error) {
        if (!(error instanceof RdgError)) throw error;
        this.#unreadable(where, "the field was not written, and its default cannot be read as the field");
        return undefined;
      }
    }
    if (field.optional) {
      if (target === undefined) this.#find(where, "the schema has no such field: it is always absent", "none");
      return undefined;
    }
    const what = target === undefined ? "the schema has no such field" : "it was not written and has no default";
    this.#unreadable(where, what);
    return undefined;
  }

  #array(read: Read): Read {
    const { reader } = this.passing;
    return () => {
      const items: unknown[] = [];
      readBlocks(reader, itemsMax, () => items.push(read()));
      return items;
    };
  }

  #map(read: Read): Read {
    const { reader } = this.passing;
    return () => {
      const entries = Object.create(null) as Record<string, unknown>;
      readBlocks(reader, itemsMax, () => {
        const name = reader.text(textBytesMax);
        entries[name] = read();
      });
      return entries;
    };
  }

  #null(where: Where, allowed: boolean): Read {
    if (!allowed) return this.#unreadable(where, "null was written where the schema has none");
    if (!where.optional) this.#find(where, "records where it is null cannot be read", "some");
    return () => null;
  }

  /** Values of it refuse their record; nothing is passed over first. */
  #unreadable(where: Where, reason: string): Read {
    this.#find(where, reason, "every");
    const finding: SourceFinding = { place: where.path, reason, unreadable: "every" };
    return () => {
      throw unreadable(finding);
    };
  }

  #find({ path }: Where, reason: string, unreadable: SourceFinding["unreadable"]): void {
    const key = `${path}\n${reason}`;
    if (this.findings.length >= findingsMax || this.#told.has(key)) return;
    this.#told.add(key);
    this.findings.push({ place: path, reason, unreadable });
  }
}

/** Which field of the reader's each of the writer's is, by name or by an alias of the reader's. */
function sourcesOf(reader: RecordNode, writer: RecordNode): ReadonlyMap<AvroField, AvroField> {
  const byName = new Map(writer.fields.map((field) => [field.name, field]));
  const sources = new Map<AvroField, AvroField>();
  for (const field of reader.fields) {
    const name = byName.has(field.name) ? field.name : field.aliases.find((alias) => byName.has(alias));
    const written = name === undefined ? undefined : byName.get(name);
    if (written !== undefined && !sources.has(written)) sources.set(written, field);
  }
  return sources;
}

/** A union of several types is a record with an optional field for each of them. */
function isBranchRecord(
  type: ValueType,
  union: UnionNode,
  isItem: boolean,
  names: readonly (string | undefined)[],
): boolean {
  if (type.kind !== "record") return false;
  const types = union.branches.filter(({ kind }) => kind !== "null").length;
  if (types < 2 && !(isItem && union.branches.length > types)) return false;
  return type.fields.every((field) => field.optional && names.includes(field.name));
}

function inside({ path }: Where, step: string): Where {
  return { path: path + step, isItem: !step.startsWith("."), optional: false };
}

function fieldOf({ path }: Where, { name, optional }: FieldModel): Where {
  return { path: path === "" ? name : `${path}.${name}`, isItem: false, optional };
}

function cannot(type: ValueType, reader: AvroNode, writer: AvroNode): string {
  const of = (node: AvroNode): string =>
    "logical" in node && node.logical !== undefined ? `${node.kind} (${node.logical.name})` : node.kind;
  const written = of(reader) === of(writer) ? "" : `, written as ${of(writer)}`;
  return `${of(reader)}${written} cannot be read as ${type.kind}`;
}
