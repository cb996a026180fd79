import { itemsMax, nestingMax } from "../avro/json-values.ts";
// `t`: the fields and properties of declarations. A field's type parameters carry everything that values, rows and contributions are typed by.
import type { FieldModel, MergePolicy, PropertyModel, ScalarType, ValueType } from "../definition.ts";
import { nestingOf } from "../value-type.ts";
import { checkInteger, checkName, checkOptions, definitionError, fieldNameMax, plainEntries, within } from "./check.ts";

export type Kind = ValueType["kind"] | "set" | "counter";

/** What is known of any field at compile time. The properties that begin with `$` are for the compiler; they do not exist at run time. */
export interface AnyField {
  /** Type of the decoded value. */
  readonly $type: unknown;
  readonly $kind: Kind;
  readonly $optional: boolean;
  /** What may be given for it: also numbers for int64. */
  readonly $input: unknown;
  /** Of an array or set: the item's field; of a record: its fields. */
  readonly $shape: unknown;
}

export interface Field<
  T,
  K extends Kind,
  Optional extends boolean = false,
  Input = T,
  Shape = undefined,
> extends AnyField {
  readonly $type: T;
  readonly $kind: K;
  readonly $optional: Optional;
  readonly $input: Input;
  readonly $shape: Shape;
  /** May be missing. Properties of nodes and edges are optional without it. */
  optional(): Field<T, K, true, Input, Shape>;
  /** How contributions to this property are merged; `last` unless said. */
  merge<P extends MergePolicies[K]>(
    policy: P,
  ): P extends "union"
    ? Field<K extends "set" ? T : readonly T[], "set", Optional, unknown, K extends "set" ? Shape : Field<T, K>>
    : P extends "sum"
      ? Field<T, "counter", Optional, Input>
      : Field<T, K, Optional, Input, Shape>;
}

type ScalarMerge = "last" | "first" | "min" | "max" | "union";

interface MergePolicies extends Record<ScalarType["kind"], MergePolicy> {
  string: ScalarMerge;
  int32: ScalarMerge;
  int64: ScalarMerge | "sum";
  double: ScalarMerge;
  boolean: ScalarMerge;
  timestamp: ScalarMerge;
  bytes: ScalarMerge;
  enum: ScalarMerge;
  array: "last" | "first";
  map: "last" | "first";
  record: "last" | "first";
  set: "union";
  counter: "sum";
}

export type Fields = Readonly<Record<string, AnyField>>;
/** Events and side inputs have no sets and counters; these are ways of merging. */
export interface EventField extends AnyField {
  readonly $kind: ValueType["kind"];
}
export type EventFields = Readonly<Record<string, EventField>>;
export interface PropertyField extends AnyField {
  readonly $optional: false;
}
export type PropertyFields = Readonly<Record<string, PropertyField>>;

type RequiredKeys<F extends Fields> = { [K in keyof F]: F[K]["$optional"] extends true ? never : K }[keyof F];
type OptionalKeys<F extends Fields> = { [K in keyof F]: F[K]["$optional"] extends true ? K : never }[keyof F];

/** A decoded record. */
export type Value<F extends Fields> = { readonly [K in RequiredKeys<F>]: F[K]["$type"] } & {
  readonly [K in OptionalKeys<F>]?: F[K]["$type"] | undefined;
};
/** A record as it may be given to `produce`: null is absent, int64 may be a safe integer. */
export type InputValue<F extends Fields> = { readonly [K in RequiredKeys<F>]: F[K]["$input"] } & {
  readonly [K in OptionalKeys<F>]?: F[K]["$input"] | null | undefined;
};
/** Properties of a node or edge in an answer. */
export type Properties<F extends Fields> = { readonly [K in keyof F]?: F[K]["$type"] };

/** A field as data. */
export interface FieldData {
  readonly kind: Kind;
  readonly type: ValueType;
  readonly optional: boolean;
  /** Undefined: not said. */
  readonly merge: MergePolicy | undefined;
  readonly unionMax: number | undefined;
}

const fieldKey = Symbol.for("rdg.field/1");
const unionMaxDefault = 256;
const enumSymbolsMax = 256;
const fieldsMax = 1000;

function makeField<T, K extends Kind, Input = T, Shape = undefined>(data: FieldData): Field<T, K, false, Input, Shape> {
  const field = {
    [fieldKey]: Object.freeze(data),
    optional: () => makeField({ ...data, optional: true }),
    merge: (policy: MergePolicy) => makeField(merged(data, policy)),
  };
  return Object.freeze(field) as unknown as Field<T, K, false, Input, Shape>;
}

const plain = <T, K extends Kind, Input = T, Shape = undefined>(kind: K, type: ValueType) =>
  makeField<T, K, Input, Shape>({ kind, type, optional: false, merge: undefined, unionMax: undefined });

function merged(data: FieldData, policy: MergePolicy): FieldData {
  const allowed = policiesOf(data);
  if (!allowed.includes(policy)) {
    const message = `A property of kind ${data.kind} cannot be merged by "${policy}".`;
    throw definitionError("bad_merge_policy", message, `Policies for it are: ${allowed.join(", ")}.`);
  }
  if (policy === "sum") return { ...data, kind: "counter", merge: policy };
  if (policy === "union") return { ...data, kind: "set", merge: policy, unionMax: data.unionMax ?? unionMaxDefault };
  return { ...data, merge: policy };
}

function policiesOf({ kind }: FieldData): readonly MergePolicy[] {
  if (kind === "set") return ["union"];
  if (kind === "counter") return ["sum"];
  if (kind === "array" || kind === "map" || kind === "record") return ["last", "first"];
  return kind === "int64" ? ["last", "first", "min", "max", "union", "sum"] : ["last", "first", "min", "max", "union"];
}

function fieldData(field: unknown, place?: string): FieldData {
  const data = (field as { [fieldKey]?: FieldData } | null | undefined)?.[fieldKey];
  if (data !== undefined) return data;
  throw definitionError(
    "not_a_field",
    "This is not a field.",
    "Declare fields with t: t.string(), t.int64() ...",
    place,
  );
}

/** The item of an array, map or set. */
function itemData(field: unknown, what: string): FieldData {
  const data = fieldData(field);
  if (!data.optional && data.merge === undefined) return data;
  const hint = "Leave .optional() and .merge() out here.";
  throw definitionError("bad_item", `The items of ${what} are neither optional nor merged.`, hint);
}

/** The fields of an event, side input or record. */
export function fieldModels(fields: unknown): readonly FieldModel[] {
  const entries = plainEntries(fields, "The fields");
  if (entries.length === 0) {
    throw definitionError("no_fields", "A record without fields says nothing.", "Declare at least one field.");
  }
  if (entries.length > fieldsMax) {
    throw definitionError("too_many_fields", `There are ${entries.length} fields.`, `Declare at most ${fieldsMax}.`);
  }
  return entries.map(([name, field]) => {
    const place = `fields.${name}`;
    checkName(name, "a field", fieldNameMax, place);
    const data = fieldData(field, place);
    if (data.merge !== undefined) {
      const message = "A field of an event or side input is not merged.";
      throw definitionError(
        "merge_of_field",
        message,
        "Sets, counters and .merge() belong to properties of nodes and edges.",
        place,
      );
    }
    checkNesting(data.type, place);
    return { name, type: data.type, optional: data.optional };
  });
}

export function propertyModels(fields: unknown): readonly PropertyModel[] {
  const entries = plainEntries(fields, "The properties");
  if (entries.length > fieldsMax) {
    throw definitionError(
      "too_many_fields",
      `There are ${entries.length} properties.`,
      `Declare at most ${fieldsMax}.`,
    );
  }
  return entries.map(([name, field]) => {
    const place = `properties.${name}`;
    checkName(name, "a property", fieldNameMax, place);
    const data = fieldData(field, place);
    if (data.optional) {
      const message = "A property is optional by nature.";
      throw definitionError("optional_property", message, "Leave .optional() out.", place);
    }
    checkNesting(data.type, place);
    const model: PropertyModel = { name, type: data.type, merge: data.merge ?? "last" };
    return data.unionMax === undefined ? model : { ...model, unionMax: data.unionMax };
  });
}

function checkNesting(type: ValueType, place: string): void {
  if (nestingOf(type) <= nestingMax) return;
  const message = `Arrays, maps and records are nested more than ${nestingMax} deep.`;
  throw definitionError("nested_too_deep", message, "Flatten the type.", place);
}

function enumType(symbols: readonly string[]): ValueType {
  if (symbols.length < 1 || symbols.length > enumSymbolsMax) {
    const message = `An enum has 1 to ${enumSymbolsMax} symbols, not ${symbols.length}.`;
    throw definitionError("bad_enum", message, "Use t.string() where the values are many or unknown.");
  }
  for (const symbol of symbols) checkName(symbol, "a symbol of an enum", fieldNameMax);
  const repeated = symbols.find((symbol, index) => symbols.indexOf(symbol) !== index);
  if (repeated !== undefined) {
    throw definitionError("bad_enum", `The symbol "${repeated}" occurs twice.`, "Name each symbol once.");
  }
  return { kind: "enum", symbols: [...symbols] };
}

function setOf(item: FieldData, options: SetOptions): FieldData {
  if (item.kind === "array" || item.kind === "map" || item.kind === "record" || item.kind === "set") {
    const message = `The items of a set are scalars, not of kind ${item.kind}.`;
    throw definitionError("bad_set", message, "Use t.array(...), which is kept whole (last or first).");
  }
  checkOptions(options, ["sizeMax"]);
  if (options.sizeMax !== undefined) checkInteger(options.sizeMax, 1, itemsMax, "sizeMax");
  return { ...item, kind: "set", merge: "union", unionMax: options.sizeMax ?? unionMaxDefault };
}

export interface SetOptions {
  /** The smallest items by encoded order are kept, this many; default 256, at most 10,000. */
  readonly sizeMax?: number;
}

/** Builders of fields. */
export const t = {
  /** Well-formed text, at most 1 MiB of UTF-8. */
  string: () => plain<string, "string">("string", { kind: "string" }),
  int32: () => plain<number, "int32">("int32", { kind: "int32" }),
  /** A bigint; a safe integer may be given too, and in JSON a decimal text. */
  int64: () => plain<bigint, "int64", bigint | number>("int64", { kind: "int64" }),
  /** Finite; -0 becomes 0. */
  double: () => plain<number, "double">("double", { kind: "double" }),
  boolean: () => plain<boolean, "boolean">("boolean", { kind: "boolean" }),
  /** A Date; in JSON an ISO 8601 text with zone, or milliseconds. */
  timestamp: () => plain<Date, "timestamp">("timestamp", { kind: "timestamp" }),
  /** At most 1 MiB; in JSON base64. */
  bytes: () => plain<Uint8Array, "bytes">("bytes", { kind: "bytes" }),
  /** Property only: an exact int64 sum of what is contributed, see `count`. */
  counter: () =>
    makeField<bigint, "counter", bigint | number>({
      kind: "counter",
      type: { kind: "int64" },
      optional: false,
      merge: "sum",
      unionMax: undefined,
    }),
  /** One of up to 256 symbols, ordered as declared. */
  enum: <const V extends string>(...symbols: V[]) => plain<V, "enum">("enum", enumType(symbols)),
  /** Property only: the set of all contributed items. */
  set: <T, K extends ScalarType["kind"], Input>(item: Field<T, K, false, Input>, options: SetOptions = {}) =>
    makeField<readonly T[], "set", readonly Input[], Field<T, K, false, Input>>(
      setOf(itemData(item, "a set"), options),
    ),
  array: <T, K extends ValueType["kind"], Input, Shape>(item: Field<T, K, false, Input, Shape>) =>
    plain<readonly T[], "array", readonly Input[], Field<T, K, false, Input, Shape>>("array", {
      kind: "array",
      item: itemData(item, "an array").type,
    }),
  /** Texts to values. */
  map: <T, K extends ValueType["kind"], Input, Shape>(value: Field<T, K, false, Input, Shape>) =>
    plain<Readonly<Record<string, T>>, "map", Readonly<Record<string, Input>>>("map", {
      kind: "map",
      value: itemData(value, "a map").type,
    }),
  record: <F extends EventFields>(fields: F) =>
    plain<Value<F>, "record", InputValue<F>, F>("record", {
      kind: "record",
      fields: within("record", () => fieldModels(fields)),
    }),
} as const;
