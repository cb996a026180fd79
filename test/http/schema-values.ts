// Random values that a JSON Schema allows (of the keywords that our own schemas use), and values that are nearly such.
import * as fc from "fast-check";

type Schema = Readonly<Record<string, unknown>>;
export type Schemas = Readonly<Record<string, Schema>>;

const depthMax = 6;

/** Made ones, by name and depth: schemas refer to themselves several times. */
const named = new WeakMap<Schemas, Map<string, fc.Arbitrary<unknown>>>();

/** @param schemas what `#/components/schemas/<name>` means */
export function valuesOf(schema: Schema, schemas: Schemas, depth = 0): fc.Arbitrary<unknown> {
  const inner = (each: unknown): fc.Arbitrary<unknown> => valuesOf(each as Schema, schemas, depth + 1);
  if ("$ref" in schema) {
    const name = (schema["$ref"] as string).split("/").at(-1)!;
    let made = named.get(schemas);
    if (made === undefined) named.set(schemas, (made = new Map()));
    let found = made.get(`${name} ${depth}`);
    if (found === undefined) made.set(`${name} ${depth}`, (found = valuesOf(schemas[name]!, schemas, depth)));
    return found;
  }
  if ("const" in schema) return fc.constant(schema["const"]);
  if ("enum" in schema) return fc.constantFrom(...(schema["enum"] as unknown[]));
  const options = (schema["anyOf"] ?? schema["oneOf"]) as Schema[] | undefined;
  if (options !== undefined) return fc.oneof(...options.map(inner));
  const types = [schema["type"] ?? []].flat() as string[];
  if (types.length === 0) return fc.jsonValue({ maxDepth: 1 });
  return fc.oneof(...types.map((type) => valuesOfType(type, schema, inner, depth)));
}

function valuesOfType(
  type: string,
  schema: Schema,
  inner: (schema: unknown) => fc.Arbitrary<unknown>,
  depth: number,
): fc.Arbitrary<unknown> {
  switch (type) {
    case "null":
      return fc.constant(null);
    case "boolean":
      return fc.boolean();
    case "number":
      return fc.double({ noDefaultInfinity: true, noNaN: true });
    case "integer": {
      const [min, max] = [schema["minimum"] as number, schema["maximum"] as number];
      const any = fc.bigInt({ min: BigInt(min), max: BigInt(max) }).map(Number);
      return fc.oneof(fc.constantFrom(min, max), any, small(min, max));
    }
    case "string":
      return texts(schema);
    case "array": {
      const { minItems = 0, maxItems = 3 } = schema as { minItems?: number; maxItems?: number };
      // Beyond the depth, as few as may be: schemas refer to themselves.
      const most = depth > depthMax ? minItems : Math.min(maxItems, minItems + 2);
      return fc.array(inner(schema["items"]), { minLength: minItems, maxLength: most });
    }
    default:
      return objects(schema, inner, depth);
  }
}

const small = (min: number, max: number): fc.Arbitrary<number> =>
  fc.integer({ min: Math.max(min, -10), max: Math.max(Math.min(max, 10), Math.max(min, -10)) });

function texts({
  pattern,
  contentEncoding,
  minLength = 0,
  maxLength = 20,
}: Schema & { minLength?: number; maxLength?: number }): fc.Arbitrary<string> {
  if (contentEncoding === "base64") {
    return fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString("base64"));
  }
  if (typeof pattern === "string") return fc.stringMatching(new RegExp(pattern, "u"), { size: "small" });
  return fc.string({ minLength, maxLength: Math.min(maxLength, minLength + 10), unit: "binary" });
}

function objects(
  schema: Schema,
  inner: (schema: unknown) => fc.Arbitrary<unknown>,
  depth: number,
): fc.Arbitrary<object> {
  const {
    properties = {},
    required = [],
    additionalProperties,
  } = schema as {
    properties?: Schemas;
    required?: string[];
    additionalProperties?: unknown;
  };
  const names = Object.keys(properties).filter((name) => depth <= depthMax || required.includes(name));
  const members = Object.fromEntries(names.map((name) => [name, inner(properties[name])]));
  const known = fc.record(members, { requiredKeys: required.filter((name) => name in members) });
  if (additionalProperties === undefined || additionalProperties === false || depth > depthMax) return known;
  const others = fc.dictionary(
    fc.constantFrom("name", "kind", "plays", "lastSeen", "unknown"),
    inner(additionalProperties),
    { maxKeys: 2 },
  );
  return fc.tuple(known, others).map(([one, two]) => ({ ...two, ...one }));
}

/** The value with one part of it replaced, left out or added to. */
export function nearly(value: unknown): fc.Arbitrary<unknown> {
  const anything = fc.oneof(
    fc.jsonValue({ maxDepth: 1 }),
    fc.constantFrom<unknown>("*", "ever", "30d", "", 0, -1, 1.5, 1e9, [], {}, null, true, ["x", "x"]),
  );
  return fc.tuple(fc.array(fc.nat(), { maxLength: 6 }), anything, fc.nat(2)).map(([path, replacement, how]) => {
    const copy = structuredClone(value);
    let at = copy;
    let holder: Record<string, unknown> | undefined;
    let name = "";
    for (const step of path) {
      if (typeof at !== "object" || at === null) break;
      const keys = Object.keys(at);
      if (keys.length === 0) break;
      [holder, name] = [at as Record<string, unknown>, keys[step % keys.length]!];
      at = holder[name];
    }
    if (holder === undefined) return replacement;
    if (how === 0) holder[name] = replacement;
    else if (how === 1 && !Array.isArray(holder)) delete holder[name];
    else if (Array.isArray(at)) at.push(replacement);
    else if (typeof at === "object" && at !== null) (at as Record<string, unknown>)["added"] = replacement;
    else holder[name] = replacement;
    return copy;
  });
}
