// An imported schema as the text of a definition: TypeScript that a team goes on from.
import type { FieldModel, ValueType } from "../model/value-type.ts";
import type { ImportedField } from "./import-schema.ts";

export interface RenderedSource {
  /** Where the schema was found, in words: `orders-value, version 3`. */
  readonly origin: string;
  /** Name of the record in the schema. */
  readonly record: string;
  readonly topic: string;
  readonly subject?: string | undefined;
  readonly version?: number | undefined;
}

export interface RenderOptions {
  readonly kind: "event" | "sideInput";
  /** Of the event or side input. */
  readonly name: string;
  /** Paths into the record; missing: what suits first, if anything does. */
  readonly key?: string | undefined;
  readonly time?: string | undefined;
  readonly partitions?: number | undefined;
}

export interface RenderedEvent {
  readonly text: string;
  /** What the definition still needs: `key` or `time` has no suitable field. Then only the fields are written. */
  readonly missing: readonly ("key" | "time")[];
}

/** @param fields of the whole record */
export function renderEvent(
  fields: readonly ImportedField[],
  source: RenderedSource,
  options: RenderOptions,
): RenderedEvent {
  const lifted = new Lifted(fields);
  const key = lifted.choose(options.key, keyOf(fields), "key");
  const isEvent = options.kind === "event";
  const time = isEvent ? lifted.choose(options.time, timeOf(fields), "time") : undefined;
  const missing = [
    ...(key === undefined ? (["key"] as const) : []),
    ...(isEvent && time === undefined ? (["time"] as const) : []),
  ];
  const all = missing.length > 0 ? fields : lifted.fields(key, time);
  const head = [
    `// ${source.record}, from ${source.origin}.`,
    "// Written by `rdg schema import`: leave out what no job needs, and import it again when the schema changes.",
  ];
  if (missing.length > 0) {
    const text = [
      ...head,
      `// No field suits as ${missing.join(" and ")}: ${needs[options.kind]}.`,
      'import { t } from "rdg";',
      "",
      `export const ${options.name}Fields = ${renderFields(all, 0)};`,
    ];
    return { text: `${text.join("\n")}\n`, missing };
  }
  const text = [
    ...head,
    `import { ${options.kind}, t } from "rdg";`,
    "",
    `export const ${options.name} = ${options.kind}(${JSON.stringify(options.name)}, {`,
    ...renderSource(source, lifted.paths(), 2),
    `  key: ${JSON.stringify(key)},`,
    ...(time === undefined ? [] : [`  time: ${JSON.stringify(time)},`]),
    ...(options.partitions === undefined ? [] : [`  partitions: ${options.partitions},`]),
    `  fields: ${renderFields(all, 2)},`,
    "});",
  ];
  return { text: `${text.join("\n")}\n`, missing };
}

const needs = {
  event: "an event needs a required text as its key, and a required timestamp as its time",
  sideInput: "a side input needs a required text as its key",
} as const;

/** Texts, and what reads as text; the ones that are called like it first. */
function keyOf(fields: readonly ImportedField[]): string | undefined {
  const texts = fields.filter(({ type, optional }) => !optional && isTextual(type));
  return (texts.find(({ name }) => /(?:^|_)(?:id|key)$|[a-z](?:Id|ID|Key)$/.test(name)) ?? texts[0])?.name;
}

function timeOf(fields: readonly ImportedField[]): string | undefined {
  const times = fields.filter(
    ({ type, optional, comments }) => type.kind === "timestamp" && !optional && !isDate(comments),
  );
  return times[0]?.name;
}

const isTextual = ({ kind }: ValueType): boolean => ["string", "int32", "int64", "enum"].includes(kind);
const isDate = (comments: readonly string[]): boolean => comments.includes("date");

/** The fields with key and time as the definition needs them: at the top, required, of the right type. */
class Lifted {
  readonly #fields: readonly ImportedField[];
  readonly #paths = new Map<string, string>();

  constructor(fields: readonly ImportedField[]) {
    this.#fields = fields;
  }

  /** The name of the field in the definition. */
  choose(asked: string | undefined, suitable: string | undefined, what: "key" | "time"): string | undefined {
    if (asked === undefined || !asked.includes(".")) return asked ?? suitable;
    const last = asked.slice(asked.lastIndexOf(".") + 1);
    const taken = this.#fields.some(({ name }) => name === last) || this.#paths.has(last);
    const name = taken ? (what === "key" ? "eventKey" : "eventTime") : last;
    this.#paths.set(name, asked);
    return name;
  }

  paths(): ReadonlyMap<string, string> {
    return this.#paths;
  }

  fields(key: string | undefined, time: string | undefined): readonly ImportedField[] {
    const lifted = [...this.#paths.keys()].map((name): ImportedField => ({
      name,
      type: { kind: name === key ? "string" : "timestamp" },
      optional: false,
      comments: [],
    }));
    const rest = this.#paths.size === 0 ? this.#fields : without(this.#fields, [...this.#paths.values()]);
    return [...lifted, ...rest].map((field) => {
      if (field.name === key)
        return { ...field, type: { kind: "string" }, optional: false, comments: keyComments(field) };
      if (field.name === time) return { ...field, type: { kind: "timestamp" }, optional: false };
      return field;
    });
  }
}

function keyComments({ type, comments }: ImportedField): readonly string[] {
  return type.kind === "string" ? comments : [...comments, `${type.kind}, read as text`];
}

/** A field is read into one place only. */
function without(fields: readonly FieldModel[], paths: readonly string[]): readonly ImportedField[] {
  return fields.flatMap((field) => {
    if (paths.includes(field.name)) return [];
    const inner = paths.flatMap((path) => (path.startsWith(`${field.name}.`) ? path.slice(field.name.length + 1) : []));
    const imported = field as ImportedField;
    if (inner.length === 0 || field.type.kind !== "record") return [imported];
    const rest = without(field.type.fields, inner);
    return rest.length === 0 ? [] : [{ ...imported, type: { kind: "record", fields: rest } }];
  });
}

function renderSource(source: RenderedSource, paths: ReadonlyMap<string, string>, indent: number): string[] {
  const pad = " ".repeat(indent);
  const parts = [
    `topic: ${JSON.stringify(source.topic)}`,
    ...(source.subject === undefined ? [] : [`subject: ${JSON.stringify(source.subject)}`]),
    ...(source.version === undefined ? [] : [`version: ${source.version}`]),
    ...(paths.size === 0
      ? []
      : [
          `paths: { ${[...paths].map(([name, path]) => `${propertyName(name)}: ${JSON.stringify(path)}`).join(", ")} }`,
        ]),
  ];
  return [`${pad}from: { ${parts.join(", ")} },`];
}

function renderFields(fields: readonly FieldModel[], indent: number): string {
  const pad = " ".repeat(indent + 2);
  const lines = fields.map((field) => {
    const comments = (field as Partial<ImportedField>).comments ?? [];
    const comment = comments.length === 0 ? "" : `${pad}/** ${commentText(comments.join("; "))} */\n`;
    const type = renderType(field.type, indent + 2);
    return `${comment}${pad}${propertyName(field.name)}: ${type}${field.optional ? ".optional()" : ""},\n`;
  });
  return `{\n${lines.join("")}${" ".repeat(indent)}}`;
}

function renderType(type: ValueType, indent: number): string {
  switch (type.kind) {
    case "enum":
      return `t.enum(${type.symbols.map((symbol) => JSON.stringify(symbol)).join(", ")})`;
    case "array":
      return `t.array(${renderType(type.item, indent)})`;
    case "map":
      return `t.map(${renderType(type.value, indent)})`;
    case "record":
      return `t.record(${renderFields(type.fields, indent)})`;
    default:
      return `t.${type.kind}()`;
  }
}

/** `{ __proto__: ... }` would set the prototype. */
const propertyName = (name: string): string => (name === "__proto__" ? '["__proto__"]' : name);

/** Schemas are anybody's: what they say does not end a comment. */
const commentText = (text: string): string => text.replaceAll("*/", "* /").replaceAll(/[\p{Cc}\u2028\u2029]/gu, " ");
