// JSON Schema (2020-12) as plain data, and the few shapes that everything else is made of.

export type JsonSchema = { readonly [keyword: string]: unknown };

/** A schema by its name under `#/components/schemas`. */
export function ref(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

export type Members = Readonly<Record<string, JsonSchema>>;

/** An object with these members and no others: readers refuse what they do not know. */
export function closed(members: Members, required: readonly string[] = []): JsonSchema {
  return { type: "object", properties: members, required: [...required], additionalProperties: false };
}

/** An object that has these members; later versions may add others. */
export function answered(members: Members, optional: readonly string[] = []): JsonSchema {
  const required = Object.keys(members).filter((name) => !optional.includes(name));
  return { type: "object", properties: members, required };
}

export function listOf(items: JsonSchema, bounds: { readonly min?: number; readonly max?: number } = {}): JsonSchema {
  const { min, max } = bounds;
  return {
    type: "array",
    items,
    ...(min === undefined ? {} : { minItems: min }),
    ...(max === undefined ? {} : { maxItems: max }),
  };
}

export function mapOf(values: JsonSchema): JsonSchema {
  return { type: "object", additionalProperties: values };
}

export function oneOfNames(names: readonly string[]): JsonSchema {
  // An empty enum is not allowed; nothing can be named where nothing is declared.
  return names.length === 0 ? { type: "string", maxLength: 0 } : { type: "string", enum: [...names] };
}

export function integer(minimum: number, maximum: number): JsonSchema {
  return { type: "integer", minimum, maximum };
}

export function describe(description: string, schema: JsonSchema): JsonSchema {
  return { ...schema, description };
}

export const text: JsonSchema = { type: "string" };
export const flag: JsonSchema = { type: "boolean" };
export const count: JsonSchema = { type: "integer", minimum: 0 };
export const milliseconds: JsonSchema = { type: "number", minimum: 0 };
export const anything: JsonSchema = {};
