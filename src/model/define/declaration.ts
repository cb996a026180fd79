// `event`, `sideInput`, `node`, `edge`: declarations are values that carry their model, their types and a validator.
import { parseDuration } from "../../core/units.ts";
import type { EdgeModel, EventModel, FieldModel, NodeModel, Retention, SideInputModel } from "../definition.ts";
import {
  checkInteger,
  checkName,
  checkOptions,
  declarationNameMax,
  deepFreeze,
  definitionError,
  within,
} from "./check.ts";
import type { Contributions, Id, Valued } from "./expression.ts";
import {
  fieldModels,
  propertyModels,
  type EventFields,
  type InputValue,
  type Properties,
  type PropertyFields,
  type Value,
} from "./field.ts";
import { standardSchema, type StandardSchema } from "./standard-schema.ts";
import { makeUpdate, type Update } from "./update.ts";

/** A number and a unit: `250ms`, `10s`, `5m`, `6h`, `30d`. */
export type Duration = `${number}${"ms" | "s" | "m" | "h" | "d"}`;

/** Marks declarations, so that those of another copy of this package are known too. */
const declarationKey = Symbol.for("rdg.declaration/1");

export interface AnyEvent {
  readonly kind: "event";
  readonly name: string;
  readonly model: EventModel;
}
export interface AnySideInput {
  readonly kind: "sideInput";
  readonly name: string;
  readonly model: SideInputModel;
}
export interface AnyNode {
  readonly kind: "node";
  readonly name: string;
  readonly model: NodeModel;
}
export interface AnyEdge {
  readonly kind: "edge";
  readonly name: string;
  readonly from: AnyNode;
  readonly to: AnyNode;
  readonly model: EdgeModel;
}
export type Declaration = AnyEvent | AnySideInput | AnyNode | AnyEdge;

export interface EventDef<N extends string, F extends EventFields>
  extends AnyEvent, StandardSchema<InputValue<F>, Value<F>> {
  readonly name: N;
  readonly fields: F;
}

type KeysOfKind<F extends EventFields, K extends string> = {
  [P in keyof F]: F[P]["$kind"] extends K ? (F[P]["$optional"] extends true ? never : P) : never;
}[keyof F];

export interface EventOptions<F extends EventFields> {
  readonly fields: F;
  /** A required string field: decides the partition. */
  readonly key: NoInfer<KeysOfKind<F, "string">>;
  /** A required timestamp field: the event time. */
  readonly time: NoInfer<KeysOfKind<F, "timestamp">>;
  /** A string field: events that repeat an id within `dedupHorizon` are dropped. */
  readonly id?: NoInfer<{ [P in keyof F]: F[P]["$kind"] extends "string" ? P : never }[keyof F]>;
  /** Default `1h`. */
  readonly dedupHorizon?: Duration;
  /** Default 1, at most 1,024. Cannot be changed later without breaking the order per key. */
  readonly partitions?: number;
  /** Neither given: kept for ever. */
  readonly retention?: { readonly time?: Duration; readonly bytes?: number };
}

const partitionsMax = 1024;

/** An immutable fact with a key and an event time. */
export function event<const N extends string, F extends EventFields>(
  name: N,
  options: EventOptions<F>,
): EventDef<N, F> {
  checkName(name, "an event", declarationNameMax, "event");
  const model = within(`event ${name}`, () => eventModel(name, options));
  return declare({
    kind: "event",
    name,
    fields: options.fields,
    model,
    "~standard": standardSchema<InputValue<F>, Value<F>>(model.fields, model.key),
  });
}

function eventModel<F extends EventFields>(name: string, options: EventOptions<F>): EventModel {
  checkOptions(options, ["fields", "key", "time", "id", "dedupHorizon", "partitions", "retention"]);
  const fields = fieldModels(options.fields);
  const { partitions = 1, dedupHorizon = "1h" } = options;
  checkInteger(partitions, 1, partitionsMax, "partitions");
  const key = fieldNamed(fields, options.key, "key", "string");
  const time = fieldNamed(fields, options.time, "time", "timestamp");
  const id = options.id === undefined ? undefined : fieldNamed(fields, options.id, "id", "string", true);
  return {
    name,
    fields,
    key,
    time,
    ...(id === undefined ? {} : { id }),
    dedupHorizonMs: durationMs(dedupHorizon, "dedupHorizon"),
    partitions,
    retention: retentionModel(options.retention),
  };
}

function retentionModel(retention: { readonly time?: Duration; readonly bytes?: number } = {}): Retention {
  checkOptions(retention, ["time", "bytes"], "retention");
  if (retention.bytes !== undefined) checkInteger(retention.bytes, 1, Number.MAX_SAFE_INTEGER, "retention.bytes");
  return {
    ...(retention.time === undefined ? {} : { timeMs: positiveMs(retention.time, "retention.time") }),
    ...(retention.bytes === undefined ? {} : { sizeBytes: retention.bytes }),
  };
}

/** The name of a declared field of this type; required, unless `mayBeOptional`. */
function fieldNamed(
  fields: readonly FieldModel[],
  name: unknown,
  option: string,
  kind: string,
  mayBeOptional = false,
): string {
  const field = fields.find((candidate) => candidate.name === name);
  const suitable = fields.filter((other) => other.type.kind === kind && (mayBeOptional || !other.optional));
  const hint =
    suitable.length === 0
      ? `Declare a field for it: t.${kind}().`
      : `Suitable fields: ${suitable.map((other) => other.name).join(", ")}.`;
  if (name === undefined)
    throw definitionError(`missing_${option}`, `The option "${option}" is missing.`, hint, option);
  if (field === undefined)
    throw definitionError("unknown_field", `There is no field ${JSON.stringify(name)}.`, hint, option);
  if (suitable.includes(field)) return field.name;
  const required = mayBeOptional ? "" : "required ";
  throw definitionError(`bad_${option}`, `"${field.name}" is not a ${required}${kind} field.`, hint, option);
}

export function durationMs(text: unknown, place: string): number {
  return parseDuration(typeof text === "string" ? text : String(text), place);
}

function positiveMs(text: unknown, place: string): number {
  const duration = durationMs(text, place);
  if (duration > 0) return duration;
  throw definitionError("out_of_range", `"${String(text)}" is no time at all.`, "Give a duration above zero.", place);
}

/** The rows of a side input that a job looks up: made by `by`, used in `enrich`. */
export interface Lookup<F extends EventFields, E = never, S = never> {
  readonly $fields: F;
  /** For the compiler: what the key is computed from. */
  readonly $from?: (event: E, side: S) => void;
}

export interface SideInputDef<N extends string, F extends EventFields>
  extends AnySideInput, StandardSchema<InputValue<F>, Value<F>> {
  readonly name: N;
  readonly fields: F;
  /** Looks up the row whose key is this expression. */
  by<E, S>(key: (event: E, side: S) => Valued<string | null | undefined>): Lookup<F, E, S>;
}

export interface LookupData {
  readonly input: AnySideInput;
  readonly key: unknown;
}
const lookupKey = Symbol.for("rdg.lookup/1");

export function lookupData(value: unknown): LookupData | undefined {
  return typeof value === "object" && value !== null ? (value as { [lookupKey]?: LookupData })[lookupKey] : undefined;
}

/** A keyed table that jobs look up. */
export function sideInput<const N extends string, F extends EventFields>(
  name: N,
  options: { readonly fields: F; readonly key: NoInfer<KeysOfKind<F, "string">> },
): SideInputDef<N, F> {
  checkName(name, "a side input", declarationNameMax, "sideInput");
  const model = within(`sideInput ${name}`, (): SideInputModel => {
    checkOptions(options, ["fields", "key"]);
    const fields = fieldModels(options.fields);
    return { name, fields, key: fieldNamed(fields, options.key, "key", "string") };
  });
  const declaration: SideInputDef<N, F> = declare({
    kind: "sideInput",
    name,
    fields: options.fields,
    model,
    "~standard": standardSchema<InputValue<F>, Value<F>>(model.fields, model.key),
    by: <E, S>(key: (event: E, side: S) => Valued<string | null | undefined>) =>
      Object.freeze({ [lookupKey]: { input: declaration, key } }) as unknown as Lookup<F, E, S>,
  });
  return declaration;
}

// eslint-disable-next-line typescript/no-empty-object-type -- no property at all is what is meant
export type NoProperties = {};

export interface NodeDef<N extends string, F extends PropertyFields>
  extends AnyNode, StandardSchema<Properties<F>, Properties<F>> {
  readonly name: N;
  readonly properties: F;
  upsert(id: Id, properties?: Contributions<F>): Update;
  /** Takes the node and all its edges out, as of the event's time. */
  remove(id: Id): Update;
}

/** A type of nodes. @param options `ttl`: invisible when it was not seen for so long */
export function node<const N extends string>(name: N): NodeDef<N, NoProperties>;
export function node<const N extends string, F extends PropertyFields>(
  name: N,
  properties: F,
  options?: { readonly ttl?: Duration },
): NodeDef<N, F>;
export function node(
  name: string,
  properties: PropertyFields = {},
  options: { readonly ttl?: Duration } = {},
): NodeDef<string, PropertyFields> {
  checkName(name, "a node type", declarationNameMax, "node");
  const model = within(`node ${name}`, (): NodeModel => {
    checkOptions(options, ["ttl"], "options");
    return { name, properties: propertyModels(properties), ...ttlModel(options.ttl) };
  });
  const declaration: NodeDef<string, PropertyFields> = declare({
    kind: "node",
    name,
    properties,
    model,
    "~standard": standardSchema<Properties<PropertyFields>, Properties<PropertyFields>>(propertiesAsFields(model)),
    upsert: (id: Id, contributed?: unknown) =>
      makeUpdate({ kind: "upsertNode", of: declaration, id, properties: contributed }),
    remove: (id: Id) => makeUpdate({ kind: "removeNode", of: declaration, id, properties: undefined }),
  });
  return declaration;
}

export interface EdgeDef<
  N extends string,
  A extends AnyNode,
  B extends AnyNode,
  F extends PropertyFields,
> extends AnyEdge {
  readonly name: N;
  readonly from: A;
  readonly to: B;
  readonly properties: F;
  upsert(from: Id, to: Id, properties?: Contributions<F>): Update;
  remove(from: Id, to: Id): Update;
}

/** A type of edges, directed, at most one between two nodes. @param options `ttl`: invisible when it was not seen for so long */
export function edge<
  const N extends string,
  A extends AnyNode,
  B extends AnyNode,
  F extends PropertyFields = NoProperties,
>(name: N, from: A, to: B, options: { readonly ttl?: Duration; readonly properties?: F } = {}): EdgeDef<N, A, B, F> {
  checkName(name, "an edge type", declarationNameMax, "edge");
  const model = within(`edge ${name}`, (): EdgeModel => {
    checkOptions(options, ["ttl", "properties"]);
    const ends = { from: endName(from, "from"), to: endName(to, "to") };
    return { name, ...ends, properties: propertyModels(options.properties ?? {}), ...ttlModel(options.ttl) };
  });
  const declaration: EdgeDef<N, A, B, F> = declare({
    kind: "edge",
    name,
    from,
    to,
    properties: options.properties ?? ({} as F),
    model,
    upsert: (start: Id, end: Id, contributed?: unknown) =>
      makeUpdate({ kind: "upsertEdge", of: declaration, from: start, to: end, properties: contributed }),
    remove: (start: Id, end: Id) =>
      makeUpdate({ kind: "removeEdge", of: declaration, from: start, to: end, properties: undefined }),
  });
  return declaration;
}

function endName(end: unknown, place: string): string {
  const declaration = declarationOf(end, "node");
  if (declaration !== undefined) return declaration.name;
  throw definitionError(
    "not_a_node",
    "An edge leads from a node type to a node type.",
    "Give what node(...) returned.",
    place,
  );
}

function ttlModel(ttl: Duration | undefined): { readonly ttlMs?: number } {
  return ttl === undefined ? {} : { ttlMs: positiveMs(ttl, "ttl") };
}

/** Properties as the fields of a record, for validation: each may be absent. */
function propertiesAsFields(model: NodeModel): FieldModel[] {
  return model.properties.map(({ name, type, merge }) => ({
    name,
    type: merge === "union" ? { kind: "array", item: type } : type,
    optional: true,
  }));
}

function declare<D extends Declaration>(declaration: D): D {
  deepFreeze(declaration.model);
  Object.defineProperty(declaration, declarationKey, { value: true });
  return Object.freeze(declaration);
}

export function declarationOf<K extends Declaration["kind"]>(
  value: unknown,
  kind: K,
): Extract<Declaration, { kind: K }> | undefined {
  if (typeof value !== "object" || value === null || !(declarationKey in value)) return undefined;
  const declaration = value as unknown as Declaration;
  return declaration.kind === kind ? (declaration as Extract<Declaration, { kind: K }>) : undefined;
}
