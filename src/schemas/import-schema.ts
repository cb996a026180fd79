// The fields of an event that follow from somebody else's Avro schema, or the reasons why there are none, each with its place.
import { nestingMax } from "../model/avro/json-values.ts";
import type { AvroField, AvroNode } from "../model/avro/schema-tree.ts";
import { compileSourceReader } from "../model/avro/source-record.ts";
import { branchNames } from "../model/avro/union-branches.ts";
import { type FieldModel, nestingOf, type ValueType } from "../model/value-type.ts";

/** A field, also within records, with what there is to say of it. */
export interface ImportedField extends FieldModel {
  readonly comments: readonly string[];
}

export interface Refusal {
  /** Path of the field: `lines[].sku`; empty for the schema itself. */
  readonly place: string;
  readonly code: RefusalCode;
  readonly reason: string;
}

export type RefusalCode =
  | "not_a_record"
  | "recursive"
  | "empty_record"
  | "only_null"
  | "too_deep"
  | "too_large"
  | "name_too_long"
  | "no_such_field";

export interface ImportedSchema {
  readonly fields: readonly ImportedField[];
  /** Empty, or the schema is not imported. */
  readonly refusals: readonly Refusal[];
}

const fieldsMax = 1000;
const typesMax = 10_000;
const symbolsMax = 256;
const nameMax = 255;

/** @param omit paths of fields to leave out: they are passed over in every record */
export function importSchema(schema: AvroNode, omit: readonly string[] = []): ImportedSchema {
  const importing = new Importing(new Set(omit));
  const fields = importing.root(schema);
  const { refusals } = importing;
  for (const place of omit) {
    if (!importing.omitted.has(place)) {
      refusals.push({ place, code: "no_such_field", reason: "there is no such field to leave out" });
    }
  }
  if (refusals.length > 0) return { fields: [], refusals };
  return { fields: withFindings(fields, schema), refusals };
}

type RecordNode = Extract<AvroNode, { kind: "record" }>;
type UnionNode = Extract<AvroNode, { kind: "union" }>;

class Importing {
  readonly refusals: Refusal[] = [];
  readonly omitted = new Set<string>();
  readonly #omit: ReadonlySet<string>;
  /** Records around the current place: one that comes again refers to itself. */
  readonly #around: AvroNode[] = [];
  #types = 0;

  constructor(omit: ReadonlySet<string>) {
    this.#omit = omit;
  }

  root(schema: AvroNode): readonly ImportedField[] {
    if (schema.kind === "record") return this.#fields(schema, "");
    const only = schema.kind === "union" ? schema.branches.filter(({ kind }) => kind !== "null") : [];
    if (only.length === 1 && only[0]!.kind === "record") return this.#fields(only[0]!, "");
    this.#refuse("", "not_a_record", `an event is a record, and this is ${withArticle(schema.kind)}`);
    return [];
  }

  #fields(record: RecordNode, path: string): readonly ImportedField[] {
    if (this.#around.includes(record)) {
      this.#refuse(path, "recursive", `${record.name} refers to itself: values could be nested without an end`);
      return [];
    }
    if (record.fields.length > fieldsMax) {
      this.#refuse(path, "too_large", `${record.name} has more than ${fieldsMax} fields`);
      return [];
    }
    this.#around.push(record);
    const fields = record.fields.flatMap((field) =>
      this.#field(field, path === "" ? field.name : `${path}.${field.name}`),
    );
    this.#around.pop();
    // Without fields for another reason, that one was told.
    const omitsAll = record.fields.some(({ name }) => this.#omit.has(path === "" ? name : `${path}.${name}`));
    if (record.fields.length === 0 || (fields.length === 0 && (omitsAll || record.fields.every(isNull)))) {
      this.#refuse(path, "empty_record", `${record.name} has no fields that say anything`);
    }
    return fields;
  }

  #field(field: AvroField, place: string): readonly ImportedField[] {
    if (this.#omit.has(place)) {
      this.omitted.add(place);
      return [];
    }
    if (isNull(field)) return [];
    if (field.name.length > nameMax) {
      this.#refuse(place, "name_too_long", `the name has more than ${nameMax} characters`);
      return [];
    }
    const optional = field.type.kind === "union" && field.type.branches.some(({ kind }) => kind === "null");
    const type = this.#type(field.type, place, false);
    if (type === undefined) return [];
    if (this.#around.length === 1 && nestingOf(type) > nestingMax) {
      this.#refuse(place, "too_deep", `arrays, maps and records are nested more than ${nestingMax} deep`);
      return [];
    }
    const comments = [...meaningOf(field.type)];
    if (field.hasDefault && field.default !== null) comments.push(`default ${shortJson(field.default)}`);
    if (field.aliases.length > 0) comments.push(`once called ${field.aliases.join(", ")}`);
    return [{ name: field.name, type, optional, comments }];
  }

  /** Undefined where it was refused. */
  #type(node: AvroNode, place: string, isItem: boolean): ValueType | undefined {
    if (++this.#types > typesMax) {
      if (this.#types === typesMax + 1) this.#refuse(place, "too_large", `the schema has more than ${typesMax} types`);
      return undefined;
    }
    switch (node.kind) {
      case "null":
        this.#refuse(place, "only_null", "its only value is null");
        return undefined;
      case "array": {
        const item = this.#type(node.items, `${place}[]`, true);
        return item && { kind: "array", item };
      }
      case "map": {
        const value = this.#type(node.values, `${place}{}`, true);
        return value && { kind: "map", value };
      }
      case "record": {
        const fields = this.#fields(node, place);
        return { kind: "record", fields };
      }
      case "union":
        return this.#union(node, place, isItem);
      default:
        return scalarOf(node);
    }
  }

  #union(union: UnionNode, place: string, isItem: boolean): ValueType | undefined {
    const types = union.branches.filter(({ kind }) => kind !== "null");
    if (types.length === 0) {
      this.#refuse(place, "only_null", "its only value is null");
      return undefined;
    }
    const hasNull = types.length < union.branches.length;
    if (types.length === 1 && !(isItem && hasNull)) return this.#type(types[0]!, place, isItem);
    const names = branchNames(union);
    const fields = union.branches.flatMap((branch, i): readonly ImportedField[] => {
      const name = names[i];
      if (name === undefined) return [];
      const type = this.#type(branch, `${place}.${name}`, false);
      return type === undefined ? [] : [{ name, type, optional: true, comments: meaningOf(branch) }];
    });
    return { kind: "record", fields };
  }

  #refuse(place: string, code: RefusalCode, reason: string): void {
    if (this.refusals.length < 100) this.refusals.push({ place, code, reason });
  }
}

type ScalarNode = Exclude<AvroNode, { kind: "null" | "array" | "map" | "record" | "union" }>;

function scalarOf(node: ScalarNode): ValueType {
  const logical = "logical" in node ? node.logical?.name : undefined;
  switch (node.kind) {
    case "boolean":
      return { kind: "boolean" };
    case "int":
      return { kind: logical === "date" ? "timestamp" : "int32" };
    case "long":
      return { kind: logical?.includes("timestamp") === true ? "timestamp" : "int64" };
    case "float":
    case "double":
      return { kind: "double" };
    case "string":
      return { kind: "string" };
    case "bytes":
      return { kind: logical === "decimal" ? "string" : "bytes" };
    case "fixed":
      return { kind: logical === "decimal" || logical === "uuid" ? "string" : "bytes" };
    case "enum": {
      const fits = node.symbols.length > 0 && node.symbols.length <= symbolsMax;
      return fits && node.symbols.every((symbol) => symbol.length <= nameMax)
        ? { kind: "enum", symbols: node.symbols }
        : { kind: "string" };
    }
    default:
      return { kind: "string" };
  }
}

/** What the type says that ours does not. */
function meaningOf(node: AvroNode): readonly string[] {
  switch (node.kind) {
    case "union": {
      const types = node.branches.filter(({ kind }) => kind !== "null");
      if (types.length === 1) return meaningOf(types[0]!);
      return types.length < 2 ? [] : ["one of these"];
    }
    case "array":
      return meaningOf(node.items);
    case "map":
      return meaningOf(node.values);
    case "fixed":
      return [node.logical === undefined ? `${node.size} bytes` : logicalText(node.logical.name, node.logical.scale)];
    case "enum":
      return node.symbols.length > symbolsMax ? [`one of ${node.symbols.length} symbols`] : [];
    case "record":
    case "null":
      return [];
    default:
      return node.logical === undefined ? [] : [logicalText(node.logical.name, node.logical.scale)];
  }
}

function logicalText(name: string, scale: number): string {
  return name === "decimal" ? `decimal with ${scale} places, as text` : name;
}

/** What reading the schema as these fields has to say, beside the fields. */
function withFindings(fields: readonly ImportedField[], schema: AvroNode): readonly ImportedField[] {
  const { findings } = compileSourceReader(fields, schema, schema);
  const visit = (field: FieldModel, place: string): ImportedField => {
    const own = (field as Partial<ImportedField>).comments ?? [];
    const here = findings.filter((finding) => finding.place.replace(/(?:\[\]|\{\})+$/, "") === place);
    const comments = [...new Set([...own, ...here.map(({ reason }) => reason)])];
    return { ...field, type: within(field.type, place), comments };
  };
  const within = (type: ValueType, place: string): ValueType => {
    switch (type.kind) {
      case "array":
        return { kind: "array", item: within(type.item, `${place}[]`) };
      case "map":
        return { kind: "map", value: within(type.value, `${place}{}`) };
      case "record":
        return { kind: "record", fields: type.fields.map((field) => visit(field, `${place}.${field.name}`)) };
      default:
        return type;
    }
  };
  return fields.map((field) => visit(field, field.name));
}

const isNull = ({ type }: AvroField): boolean => type.kind === "null";

function shortJson(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

const withArticle = (kind: string): string => `${/^[aeiou]/.test(kind) ? "an" : "a"} ${kind}`;
