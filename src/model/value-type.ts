// The types that fields and properties may have, as data.

export type ScalarType =
  | { readonly kind: "string" }
  | { readonly kind: "int32" }
  | { readonly kind: "int64" }
  | { readonly kind: "double" }
  | { readonly kind: "boolean" }
  | { readonly kind: "timestamp" }
  | { readonly kind: "bytes" }
  /** At most 256 symbols, each an Avro name; ordered as declared. */
  | { readonly kind: "enum"; readonly symbols: readonly string[] };

export type ValueType =
  | ScalarType
  | { readonly kind: "array"; readonly item: ValueType }
  | { readonly kind: "map"; readonly value: ValueType }
  | { readonly kind: "record"; readonly fields: readonly FieldModel[] };

/** A field of an event or of a side input's row. An optional field that is missing, or JSON null, is absent. */
export interface FieldModel {
  readonly name: string;
  readonly type: ValueType;
  readonly optional: boolean;
}

/** How deep arrays, maps and records lie within each other. */
export function nestingOf(type: ValueType): number {
  if (type.kind === "array") return 1 + nestingOf(type.item);
  if (type.kind === "map") return 1 + nestingOf(type.value);
  return type.kind === "record" ? 1 + Math.max(0, ...type.fields.map((field) => nestingOf(field.type))) : 0;
}
