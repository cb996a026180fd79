// Avro schemas as a checked tree with resolved names, and their canonical text: what identifies a schema and what compatibility is decided on.
//
// The canonical text keeps all that has a meaning for a reader (defaults, aliases, logical types, documentation) and drops what has none: white space,
// the order of attributes, the spelling of names (always full). Two texts with the same canonical text are the same schema.
import { RdgError } from "../../core/errors.ts";

const schemaBytesMax = 1024 * 1024;
const depthMax = 200;
const branchesMax = 256;
const namedTypesMax = 1000;

const primitives = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"] as const;
export type AvroPrimitive = (typeof primitives)[number];

const logicalKinds = {
  date: ["int"],
  "time-millis": ["int"],
  "time-micros": ["long"],
  "timestamp-millis": ["long"],
  "timestamp-micros": ["long"],
  "timestamp-nanos": ["long"],
  "local-timestamp-millis": ["long"],
  "local-timestamp-micros": ["long"],
  "local-timestamp-nanos": ["long"],
  uuid: ["string", "fixed"],
  decimal: ["bytes", "fixed"],
  "big-decimal": ["bytes"],
  duration: ["fixed"],
} as const;
export type LogicalName = keyof typeof logicalKinds;

/** A logical type that its attributes allow; one that they do not is none, as the specification asks. `scale` belongs to decimals. */
export interface LogicalType {
  readonly name: LogicalName;
  readonly scale: number;
}

export interface AvroField {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly type: AvroNode;
  readonly hasDefault: boolean;
  /** As in the schema's JSON. */
  readonly default?: unknown;
}

/** Names are full names. A named type that refers to itself is a cycle in this tree. */
export type AvroNode =
  | { readonly kind: AvroPrimitive; readonly logical?: LogicalType }
  | {
      readonly kind: "fixed";
      readonly name: string;
      readonly aliases: readonly string[];
      readonly size: number;
      readonly logical?: LogicalType;
    }
  | {
      readonly kind: "enum";
      readonly name: string;
      readonly aliases: readonly string[];
      readonly symbols: readonly string[];
      readonly default: string | undefined;
    }
  | { readonly kind: "array"; readonly items: AvroNode }
  | { readonly kind: "map"; readonly values: AvroNode }
  | { readonly kind: "union"; readonly branches: readonly AvroNode[] }
  | {
      readonly kind: "record";
      readonly name: string;
      readonly aliases: readonly string[];
      readonly fields: readonly AvroField[];
    };

export interface AvroSchema {
  readonly root: AvroNode;
  readonly canonical: string;
}

type JsonObject = Readonly<Record<string, unknown>>;

interface Parsed {
  readonly node: AvroNode;
  readonly canonical: string;
}

interface Context {
  readonly named: Map<string, AvroNode>;
  readonly namespace: string;
  readonly path: string;
  readonly depth: number;
}

/** @throws RdgError invalid, `invalid_schema` */
export function parseAvroSchema(text: string): AvroSchema {
  if (Buffer.byteLength(text) > schemaBytesMax) throw invalid("", `is larger than ${schemaBytesMax} bytes`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new RdgError("invalid", "invalid_schema", `The schema is not JSON: ${(cause as Error).message}.`, {
      hint: 'Send the Avro schema as JSON text, for example {"type":"record","name":"Order","fields":[...]}.',
      cause,
    });
  }
  const { node, canonical } = parse(json, { named: new Map(), namespace: "", path: "", depth: 0 });
  return { root: node, canonical };
}

function invalid(path: string, what: string): RdgError {
  return new RdgError("invalid", "invalid_schema", `The schema ${what}.`, {
    place: path === "" ? "/" : path,
    hint: "Correct the Avro schema; the place is a path into its JSON.",
  });
}

function parse(json: unknown, context: Context): Parsed {
  if (context.depth > depthMax) throw invalid(context.path, `is nested deeper than ${depthMax} levels`);
  if (typeof json === "string") return parseName(json, context);
  if (Array.isArray(json)) return parseUnion(json, context);
  if (typeof json === "object" && json !== null) return parseObject(json as JsonObject, context);
  throw invalid(context.path, "has something else than a name, an object or a list where a type is expected");
}

function parseName(name: string, context: Context): Parsed {
  if (isPrimitive(name)) return { node: { kind: name }, canonical: JSON.stringify(name) };
  const full = name.includes(".") || context.namespace === "" ? name : `${context.namespace}.${name}`;
  const node = context.named.get(full) ?? context.named.get(name);
  if (node === undefined) throw invalid(context.path, `names the type ${JSON.stringify(name)} before it is defined`);
  return { node, canonical: JSON.stringify(context.named.has(full) ? full : name) };
}

function parseUnion(json: readonly unknown[], context: Context): Parsed {
  if (json.length > branchesMax) throw invalid(context.path, `has a union of more than ${branchesMax} types`);
  const parsed = json.map((branch, index) => parse(branch, inside(context, String(index))));
  const seen = new Set<string>();
  for (const { node } of parsed) {
    if (node.kind === "union") throw invalid(context.path, "has a union directly inside a union");
    const branch = "name" in node ? node.name : node.kind;
    if (seen.has(branch)) throw invalid(context.path, `has a union with ${JSON.stringify(branch)} twice`);
    seen.add(branch);
  }
  return {
    node: { kind: "union", branches: parsed.map(({ node }) => node) },
    canonical: `[${parsed.map(({ canonical }) => canonical).join(",")}]`,
  };
}

function parseObject(json: JsonObject, context: Context): Parsed {
  const type = own(json, "type");
  if (typeof type !== "string") throw invalid(context.path, 'has an object whose "type" is not a name');
  switch (type) {
    case "record":
    case "error":
      return parseRecord(json, context);
    case "enum":
      return parseEnum(json, context);
    case "fixed":
      return parseFixed(json, context);
    case "array": {
      const items = parse(own(json, "items"), inside(context, "items"));
      const attributes = [`"items":${items.canonical}`, ...others(json, ["type", "items"], context)];
      return { node: { kind: "array", items: items.node }, canonical: `{"type":"array",${attributes.join(",")}}` };
    }
    case "map": {
      const values = parse(own(json, "values"), inside(context, "values"));
      const attributes = [`"values":${values.canonical}`, ...others(json, ["type", "values"], context)];
      return { node: { kind: "map", values: values.node }, canonical: `{"type":"map",${attributes.join(",")}}` };
    }
    default: {
      const { node, canonical } = parseName(type, context);
      const attributes = others(json, ["type"], context);
      const logical = isPrimitive(node.kind) ? logicalOf(json, node.kind, undefined) : undefined;
      if (logical !== undefined && isPrimitive(node.kind)) {
        return { node: { kind: node.kind, logical }, canonical: `{"type":${canonical},${attributes.join(",")}}` };
      }
      return { node, canonical: attributes.length === 0 ? canonical : `{"type":${canonical},${attributes.join(",")}}` };
    }
  }
}

function parseRecord(json: JsonObject, context: Context): Parsed {
  const { name, namespace, aliases } = parseNames(json, context);
  const fields: AvroField[] = [];
  const node: AvroNode = { kind: "record", name, aliases, fields };
  define(context, name, node);
  const list = own(json, "fields");
  if (!Array.isArray(list))
    throw invalid(context.path, `has a record ${JSON.stringify(name)} without a list of fields`);
  const names = new Set<string>();
  const texts = list.map((item: unknown, index) => {
    const within = { ...inside(context, `fields/${index}`), namespace };
    const { field, canonical } = parseField(item, within);
    if (names.has(field.name)) throw invalid(within.path, `has the field ${JSON.stringify(field.name)} twice`);
    names.add(field.name);
    fields.push(field);
    return canonical;
  });
  const attributes = [
    ...aliasText(aliases),
    ...others(json, ["type", "name", "namespace", "aliases", "fields"], context),
  ];
  const canonical = `{"type":${JSON.stringify(own(json, "type"))},"name":${JSON.stringify(name)},"fields":[${texts.join(",")}]`;
  return { node, canonical: [canonical, ...attributes].join(",") + "}" };
}

function parseField(json: unknown, context: Context): { readonly field: AvroField; readonly canonical: string } {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw invalid(context.path, "has a field that is not an object");
  const object = json as JsonObject;
  const name = own(object, "name");
  if (typeof name !== "string" || !isSimpleName(name)) throw invalid(context.path, "has a field without a valid name");
  const type = parse(own(object, "type"), inside(context, "type"));
  const aliases = parseAliases(object, context, isSimpleName);
  const attributes = [...aliasText(aliases), ...others(object, ["name", "type", "aliases"], context)];
  const canonical = `{"name":${JSON.stringify(name)},"type":${type.canonical}`;
  return {
    field: {
      name,
      aliases,
      type: type.node,
      ...(Object.hasOwn(object, "default") ? { hasDefault: true, default: object["default"] } : { hasDefault: false }),
    },
    canonical: [canonical, ...attributes].join(",") + "}",
  };
}

function parseEnum(json: JsonObject, context: Context): Parsed {
  const { name, aliases } = parseNames(json, context);
  const symbols = own(json, "symbols");
  const valid = Array.isArray(symbols) && symbols.every((symbol) => typeof symbol === "string" && isSimpleName(symbol));
  if (!valid) throw invalid(context.path, `has an enum ${JSON.stringify(name)} without a list of valid symbols`);
  if (new Set(symbols).size !== symbols.length)
    throw invalid(context.path, `has an enum ${JSON.stringify(name)} with a symbol twice`);
  const fallback = own(json, "default");
  if (fallback !== undefined && !symbols.includes(fallback)) {
    throw invalid(context.path, `has an enum ${JSON.stringify(name)} whose default is not one of its symbols`);
  }
  const node: AvroNode = {
    kind: "enum",
    name,
    aliases,
    symbols: symbols as string[],
    default: fallback as string | undefined,
  };
  define(context, name, node);
  const attributes = [
    ...aliasText(aliases),
    ...others(json, ["type", "name", "namespace", "aliases", "symbols"], context),
  ];
  const canonical = `{"type":"enum","name":${JSON.stringify(name)},"symbols":${JSON.stringify(symbols)}`;
  return { node, canonical: [canonical, ...attributes].join(",") + "}" };
}

function parseFixed(json: JsonObject, context: Context): Parsed {
  const { name, aliases } = parseNames(json, context);
  const size = own(json, "size");
  if (!Number.isSafeInteger(size) || (size as number) < 0)
    throw invalid(context.path, `has a fixed ${JSON.stringify(name)} without a valid size`);
  const logical = logicalOf(json, "fixed", size as number);
  const node: AvroNode = { kind: "fixed", name, aliases, size: size as number, ...(logical && { logical }) };
  define(context, name, node);
  const attributes = [
    ...aliasText(aliases),
    ...others(json, ["type", "name", "namespace", "aliases", "size"], context),
  ];
  const canonical = `{"type":"fixed","name":${JSON.stringify(name)},"size":${String(size)}`;
  return { node, canonical: [canonical, ...attributes].join(",") + "}" };
}

/** @param size of a fixed */
function logicalOf(json: JsonObject, kind: AvroNode["kind"], size: number | undefined): LogicalType | undefined {
  const name = own(json, "logicalType");
  if (typeof name !== "string" || !Object.hasOwn(logicalKinds, name)) return undefined;
  const logical = name as LogicalName;
  if (!(logicalKinds[logical] as readonly string[]).includes(kind)) return undefined;
  if (logical === "uuid" && kind === "fixed" && size !== 16) return undefined;
  if (logical === "duration" && size !== 12) return undefined;
  if (logical !== "decimal") return { name: logical, scale: 0 };
  const [precision, scale] = [own(json, "precision"), own(json, "scale") ?? 0];
  const fits = Number.isInteger(precision) && (precision as number) > 0 && Number.isInteger(scale);
  const most = size === undefined ? Infinity : Math.floor(Math.log10(2) * (8 * size - 1));
  if (!fits || (scale as number) < 0 || (scale as number) > (precision as number) || (precision as number) > most) {
    return undefined;
  }
  return { name: logical, scale: scale as number };
}

function parseNames(
  json: JsonObject,
  context: Context,
): { name: string; namespace: string; aliases: readonly string[] } {
  const given = own(json, "name");
  if (typeof given !== "string") throw invalid(context.path, "has a named type without a name");
  const space = own(json, "namespace") ?? undefined;
  if (space !== undefined && typeof space !== "string")
    throw invalid(context.path, "has a namespace that is not a text");
  const dot = given.lastIndexOf(".");
  const namespace = dot > 0 ? given.slice(0, dot) : (space ?? context.namespace);
  const name = dot > 0 || namespace === "" ? given : `${namespace}.${given}`;
  if (!isFullName(name)) throw invalid(context.path, `has the invalid name ${JSON.stringify(name)}`);
  const aliases = parseAliases(json, context, isFullName);
  return {
    name,
    namespace,
    aliases: aliases.map((alias) => (alias.includes(".") || namespace === "" ? alias : `${namespace}.${alias}`)),
  };
}

function parseAliases(json: JsonObject, context: Context, isValid: (name: string) => boolean): readonly string[] {
  const aliases = own(json, "aliases");
  if (aliases === undefined) return [];
  if (!Array.isArray(aliases) || !aliases.every((alias) => typeof alias === "string" && isValid(alias))) {
    throw invalid(context.path, "has aliases that are not a list of valid names");
  }
  return aliases as readonly string[];
}

function define(context: Context, name: string, node: AvroNode): void {
  if (isPrimitive(name)) throw invalid(context.path, `gives a type the name of the primitive ${JSON.stringify(name)}`);
  if (context.named.has(name)) throw invalid(context.path, `defines ${JSON.stringify(name)} twice`);
  if (context.named.size >= namedTypesMax)
    throw invalid(context.path, `defines more than ${namedTypesMax} named types`);
  context.named.set(name, node);
}

function inside(context: Context, step: string): Context {
  return { ...context, path: `${context.path}/${step}`, depth: context.depth + 1 };
}

function own(json: JsonObject, name: string): unknown {
  return Object.hasOwn(json, name) ? json[name] : undefined;
}

function aliasText(aliases: readonly string[]): string[] {
  return aliases.length === 0 ? [] : [`"aliases":${JSON.stringify(aliases)}`];
}

/** The remaining attributes in order of their names. */
function others(json: JsonObject, known: readonly string[], context: Context): string[] {
  return Object.keys(json)
    .filter((name) => !known.includes(name))
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(json[name], inside(context, name))}`);
}

function canonicalJson(value: unknown, context: Context): string {
  if (context.depth > depthMax) throw invalid(context.path, `is nested deeper than ${depthMax} levels`);
  if (Array.isArray(value))
    return `[${value.map((item, index) => canonicalJson(item, inside(context, String(index)))).join(",")}]`;
  if (typeof value === "object" && value !== null) return `{${others(value as JsonObject, [], context).join(",")}}`;
  return JSON.stringify(value);
}

function isPrimitive(name: string): name is AvroPrimitive {
  return (primitives as readonly string[]).includes(name);
}

function isSimpleName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
}

function isFullName(name: string): boolean {
  return /^(?:[A-Za-z_][A-Za-z0-9_]*\.)*[A-Za-z_][A-Za-z0-9_]*$/.test(name);
}
