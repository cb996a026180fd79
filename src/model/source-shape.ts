// The part of a team's record that an event is made of, and the event's fields out of it: fields may lie within the record or have other names there.
import { RdgError } from "../core/errors.ts";
import type { EventSource } from "./definition.ts";
import type { FieldModel } from "./value-type.ts";

/** A tree of the names in the source's record. */
interface Place {
  field: FieldModel | undefined;
  readonly inner: Map<string, Place>;
}

/**
 * The source's record as far as it is read. What only leads to a field is an optional record.
 * @throws RdgError invalid, `bad_path`, where two fields would be read from one place
 */
export function sourceShape(fields: readonly FieldModel[], source: Pick<EventSource, "paths">): readonly FieldModel[] {
  const root: Place = { field: undefined, inner: new Map() };
  for (const field of fields) {
    let place = root;
    for (const step of pathOf(field, source)) {
      const next = place.inner.get(step) ?? { field: undefined, inner: new Map<string, Place>() };
      place.inner.set(step, next);
      place = next;
    }
    if (place.field !== undefined) throw taken(field.name, `the field ${place.field.name} is read from there too`);
    place.field = field;
  }
  return [...root.inner].map(([name, place]) => shapeOf(name, place));
}

function shapeOf(name: string, { field, inner }: Place): FieldModel {
  const within = [...inner].map(([innerName, place]) => shapeOf(innerName, place));
  if (field === undefined) return { name, type: { kind: "record", fields: within }, optional: true };
  if (within.length === 0) return { name, type: field.type, optional: field.optional };
  const own = field.type.kind === "record" ? field.type.fields : undefined;
  const twice = within.find((one) => own?.some((other) => other.name === one.name));
  if (own === undefined || twice !== undefined) {
    throw taken(field.name, "another field is read from within it");
  }
  return { name, type: { kind: "record", fields: [...own, ...within] }, optional: field.optional };
}

/** The event out of a value of the shape. What is absent there is absent here; names that the event does not declare are left behind. */
export function sourcePicker(
  fields: readonly FieldModel[],
  source: Pick<EventSource, "paths">,
): (value: unknown) => Record<string, unknown> {
  const steps = fields.map((field) => ({ ...field, path: pathOf(field, source), narrow: narrowing(field) }));
  return (value) => {
    const event = Object.create(null) as Record<string, unknown>;
    for (const { name, path, narrow } of steps) {
      let found: unknown = value;
      for (const step of path) found = memberOf(found, step);
      if (found !== undefined) event[name] = narrow(found);
    }
    return event;
  };
}

type Narrow = (value: unknown) => unknown;
const asItIs: Narrow = (value) => value;

/** Leaves out of records what is not declared: a team's records have more in them than a graph needs. */
function narrowing({ type }: Pick<FieldModel, "type">): Narrow {
  if (type.kind === "array") {
    const item = narrowing({ type: type.item });
    return item === asItIs ? asItIs : (value) => (Array.isArray(value) ? value.map(item) : value);
  }
  if (type.kind === "map") {
    const item = narrowing({ type: type.value });
    return item === asItIs ? asItIs : (value) => (isObject(value) ? mapped(value, item) : value);
  }
  if (type.kind !== "record") return asItIs;
  const inner = type.fields.map((field) => [field.name, narrowing(field)] as const);
  return (value) => {
    if (!isObject(value)) return value;
    const record = Object.create(null) as Record<string, unknown>;
    for (const [name, narrow] of inner) {
      const found = memberOf(value, name);
      if (found !== undefined) record[name] = narrow(found);
    }
    return record;
  };
}

function mapped(value: object, item: Narrow): object {
  const entries = Object.create(null) as Record<string, unknown>;
  for (const [name, one] of Object.entries(value)) entries[name] = item(one);
  return entries;
}

function memberOf(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

const pathOf = ({ name }: FieldModel, { paths }: Pick<EventSource, "paths">): readonly string[] =>
  paths !== undefined && Object.hasOwn(paths, name) ? paths[name]! : [name];

function taken(name: string, what: string): RdgError {
  return new RdgError("invalid", "bad_path", `The field cannot be read: ${what}.`, {
    place: `from.paths.${name}`,
    hint: "Read each place of the record into one field, and derive the rest in the job.",
  });
}
