// Expressions of plans and what they can name, written shortly.
import type { FieldModel, ScalarType, ValueType } from "../../src/model/definition.ts";
import type { Expression, FunctionName } from "../../src/model/plan.ts";

export function call(name: FunctionName, type: ValueType, ...args: readonly Expression[]): Expression {
  return { kind: "call", function: name, args, type };
}

export function text(value: string): Expression {
  return { kind: "literal", value, type: { kind: "string" } };
}

export function long(value: number): Expression {
  return { kind: "literal", value: String(value), type: { kind: "int64" } };
}

/** Of the fields, and of those within them. */
export function pathsOf(
  fields: readonly FieldModel[],
  path: readonly string[],
): { readonly path: readonly string[]; readonly type: ValueType }[] {
  return fields.flatMap(({ name, type }) => {
    const own = [...path, name];
    return [{ path: own, type }, ...(type.kind === "record" ? pathsOf(type.fields, own) : [])];
  });
}

export function isScalar(type: ValueType): type is ScalarType {
  return type.kind !== "array" && type.kind !== "map" && type.kind !== "record";
}
