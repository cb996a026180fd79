// What a `map` function gives for one event: updates with plain values, checked against the model, as data for whoever runs the job.
import { didYouMean } from "../../core/did-you-mean.ts";
import { RdgError } from "../../core/errors.ts";
import { compileValueValidator, ownValue, type RecordValidator } from "../avro/json-record.ts";
import { itemsMax, keyBytesMax, parseBase64, utf8Length } from "../avro/json-values.ts";
import { int64Of, timestampOf } from "../avro/record-encoder.ts";
import type { GraphModel, PropertyModel, ValueType } from "../definition.ts";
import type { PropertyValue } from "../filter.ts";
import { symbolicOf } from "./symbolic.ts";
import { updateData, type UpdateData } from "./update.ts";

/**
 * An update of one event. `type` is the index in the model's `nodes` or `edges`; ids are valid (1 to 1,024 bytes, well-formed). Properties are by index of the
 * declaration: undefined says nothing, null is a null; numbers, timestamps in ms, canonical int64, bytes, symbols; of a counter what is added; of a set a list of items.
 */
export type ConcreteUpdate =
  | {
      readonly kind: "upsertNode";
      readonly type: number;
      readonly id: string;
      readonly properties: readonly PropertyValue[];
    }
  | { readonly kind: "removeNode"; readonly type: number; readonly id: string }
  | {
      readonly kind: "upsertEdge";
      readonly type: number;
      readonly from: string;
      readonly to: string;
      readonly properties: readonly PropertyValue[];
    }
  | { readonly kind: "removeEdge"; readonly type: number; readonly from: string; readonly to: string };

export interface ConcreteUpdates {
  readonly updates: readonly ConcreteUpdate[];
  /** Updates whose id was absent, null or empty. */
  readonly skipped: number;
}

const updatesMax = 10_000;

interface TypeReader {
  readonly index: number;
  readonly name: string;
  readonly names: ReadonlyMap<string, number>;
  readonly properties: readonly ((value: unknown) => PropertyValue)[];
}

/**
 * Makes the reader of what the `map` functions of a graph return.
 * @returns a function that throws RdgError invalid (`bad_update`, `unknown_type`, `unknown_property`, `bad_id`, `bad_value`): the event belongs into the quarantine
 */
export function compileConcreteUpdates(model: GraphModel): (returned: unknown) => ConcreteUpdates {
  const nodes = new Map(model.nodes.map((node, index) => [node.name, typeReader(node, index)]));
  const edges = new Map(model.edges.map((edge, index) => [edge.name, typeReader(edge, index)]));
  return (returned) => {
    const updates: ConcreteUpdate[] = [];
    let skipped = 0;
    for (const data of flattened(returned)) {
      const update = concrete(data, nodes, edges);
      if (update === undefined) skipped++;
      else if (updates.push(update) > updatesMax) {
        throw failure("bad_update", `One event gave more than ${updatesMax} updates.`, "Split the event.");
      }
    }
    return { updates, skipped };
  };
}

function* flattened(returned: unknown, depth = 0): Generator<UpdateData> {
  if (typeof returned !== "object" || returned === null || !(Symbol.iterator in returned) || depth > 16) {
    const hint = "Return an array of updates, or write the function with function* and yield them.";
    throw failure("bad_update", "The map function returned no list of updates.", hint);
  }
  for (const element of returned as Iterable<unknown>) {
    const data = updateData(element);
    if (data !== undefined) yield data;
    else if (Array.isArray(element)) yield* flattened(element, depth + 1);
    else
      throw failure(
        "bad_update",
        `The map function gave ${typeof element}, not an update.`,
        "Use upsert() and remove() of the types.",
      );
  }
}

function concrete(
  data: UpdateData,
  nodes: ReadonlyMap<string, TypeReader>,
  edges: ReadonlyMap<string, TypeReader>,
): ConcreteUpdate | undefined {
  switch (data.kind) {
    case "each":
    case "when":
      throw failure("bad_update", "each() and when() belong into emit().", "Use JavaScript's own for and if.");
    case "upsertNode":
    case "removeNode": {
      const type = readerOf(data.of, nodes, "nodes");
      const id = idOf(data.id, `${type.name}.id`);
      if (id === undefined) return undefined;
      if (data.kind === "removeNode") return { kind: data.kind, type: type.index, id };
      return { kind: data.kind, type: type.index, id, properties: propertiesOf(type, data.properties) };
    }
    case "upsertEdge":
    case "removeEdge": {
      const type = readerOf(data.of, edges, "edges");
      const [from, to] = [idOf(data.from, `${type.name}.from`), idOf(data.to, `${type.name}.to`)];
      if (from === undefined || to === undefined) return undefined;
      if (data.kind === "removeEdge") return { kind: data.kind, type: type.index, from, to };
      return { kind: data.kind, type: type.index, from, to, properties: propertiesOf(type, data.properties) };
    }
  }
}

function readerOf(of: object, types: ReadonlyMap<string, TypeReader>, option: string): TypeReader {
  const { name } = of as { name: string };
  const type = types.get(name);
  if (type !== undefined) return type;
  const hint = `What only map functions update is named in defineGraph: { ${option}: [${name}] }.`;
  throw failure("unknown_type", `The type "${name}" is not part of the graph.`, hint);
}

function idOf(id: unknown, place: string): string | undefined {
  if (id === undefined || id === null || id === "") return undefined;
  if (typeof id !== "string")
    throw failure("bad_id", `An id is a text, not ${nameOf(id)}.`, "Convert it: String(id).", place);
  if (!id.isWellFormed())
    throw failure("bad_id", "The id has a lone surrogate.", "Ids are well-formed Unicode.", place);
  if (id.length * 3 > keyBytesMax && utf8Length(id) > keyBytesMax) {
    throw failure(
      "bad_id",
      `The id is longer than ${keyBytesMax} bytes.`,
      "Use a shorter one, for example its hash.",
      place,
    );
  }
  return id;
}

function propertiesOf(type: TypeReader, given: unknown): readonly PropertyValue[] {
  const values = new Array<PropertyValue>(type.properties.length).fill(undefined);
  if (given === undefined || given === null) return values;
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const index = type.names.get(name);
    if (index === undefined) {
      const hint = didYouMean(name, type.names.keys()) || "It has no properties.";
      throw failure("unknown_property", `${type.name} has no property "${name}".`, hint);
    }
    values[index] = type.properties[index]!(value);
  }
  return values;
}

function typeReader(
  type: { readonly name: string; readonly properties: readonly PropertyModel[] },
  index: number,
): TypeReader {
  const properties = type.properties.map((property) => propertyReader(property, `${type.name}.${property.name}`));
  const names = new Map(type.properties.map((property, i) => [property.name, i]));
  return { index, name: type.name, names, properties };
}

function propertyReader({ type, merge }: PropertyModel, place: string): (value: unknown) => PropertyValue {
  const validate = compileValueValidator(type);
  const read = (value: unknown): PropertyValue => {
    if (value === null && merge !== "sum") return null;
    check(validate, value, place);
    return propertyValue(type, value);
  };
  if (merge !== "union") return read;
  return (value) => {
    const items: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (items.length > itemsMax)
      throw failure("bad_value", `There are more than ${itemsMax} items.`, "Give fewer.", place);
    return items.map(read);
  };
}

function check(validate: RecordValidator, value: unknown, place: string): void {
  const [problem] = validate(value);
  if (problem === undefined) return;
  const hint = "Give a value of the property's type.";
  const within = problem.field === "" ? place : `${place}.${problem.field}`;
  throw failure("bad_value", `The value is not valid: ${problem.reason}.`, hint, within);
}

/** A valid value as stores and filters hold it. */
export function propertyValue(type: ValueType, value: unknown): PropertyValue {
  switch (type.kind) {
    case "int32":
    case "double":
      return value === 0 ? 0 : (value as number);
    case "int64":
      return int64Of(value === 0 ? 0 : value);
    case "timestamp":
      return timestampOf(value === 0 ? 0 : value);
    case "bytes":
      return typeof value === "string" ? parseBase64(value)! : (value as Uint8Array);
    case "array":
      return (value as unknown[]).map((item) => propertyValue(type.item, item));
    case "map":
      return withNames(Object.keys(value as object), value as object, () => type.value);
    case "record": {
      const types = new Map(type.fields.map((field) => [field.name, field.type]));
      const present = [...types.keys()].filter((name) => (ownValue(value as object, name) ?? null) !== null);
      return withNames(present, value as object, (name) => types.get(name)!);
    }
    default:
      return value as PropertyValue;
  }
}

function withNames(names: readonly string[], value: object, typeOf: (name: string) => ValueType): PropertyValue {
  const copy = Object.create(null) as Record<string, PropertyValue>;
  for (const name of names) copy[name] = propertyValue(typeOf(name), ownValue(value, name));
  return copy;
}

function nameOf(value: unknown): string {
  return symbolicOf(value) === undefined ? typeof value : "an expression of emit()";
}

function failure(code: string, message: string, hint: string, place?: string): RdgError {
  return new RdgError("invalid", code, message, { hint, place });
}
