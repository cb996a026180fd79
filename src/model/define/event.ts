// `event` and `sideInput`: records that come in, with their keys.
import type { EventModel, FieldModel, Retention, SideInputModel } from "../definition.ts";
import { checkInteger, checkName, checkOptions, declarationNameMax, definitionError, within } from "./check.ts";
import { declare, durationMs, positiveMs, type AnyEvent, type AnySideInput, type Duration } from "./declaration.ts";
import type { Valued } from "./expression.ts";
import { fieldModels, type EventFields, type InputValue, type Value } from "./field.ts";
import { sourceModel, type SourceOptions } from "./source.ts";
import { standardSchema, type StandardSchema } from "./standard-schema.ts";

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
  /** The topic that a team already has these events in. Where RDG keeps its log itself they come as all others do. */
  readonly from?: SourceOptions<NoInfer<F>>;
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
  checkOptions(options, ["fields", "key", "time", "id", "dedupHorizon", "partitions", "retention", "from"]);
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
    ...(options.from === undefined ? {} : { source: sourceModel(options.from, fields) }),
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

export interface SideInputOptions<F extends EventFields> {
  readonly fields: F;
  /** A required string field: what rows are looked up by. */
  readonly key: NoInfer<KeysOfKind<F, "string">>;
  /** The topic that a team already has these rows in, best a compacted one. Where RDG keeps its log itself they come as all others do. */
  readonly from?: SourceOptions<NoInfer<F>>;
  /** Of that topic; default 1. */
  readonly partitions?: number;
}

/** A keyed table that jobs look up. */
export function sideInput<const N extends string, F extends EventFields>(
  name: N,
  options: SideInputOptions<F>,
): SideInputDef<N, F> {
  checkName(name, "a side input", declarationNameMax, "sideInput");
  const model = within(`sideInput ${name}`, () => sideInputModel(name, options));
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

function sideInputModel<F extends EventFields>(name: string, options: SideInputOptions<F>): SideInputModel {
  checkOptions(options, ["fields", "key", "from", "partitions"]);
  const fields = fieldModels(options.fields);
  const key = fieldNamed(fields, options.key, "key", "string");
  const { from, partitions = 1 } = options;
  checkInteger(partitions, 1, partitionsMax, "partitions");
  if (from !== undefined) return { name, fields, key, partitions, source: sourceModel(from, fields) };
  if (partitions === 1) return { name, fields, key };
  const hint = "Leave partitions out, or say whose topic the rows are read from.";
  throw definitionError(
    "bad_partitions",
    "A side input in a topic of RDG's own has one partition.",
    hint,
    "partitions",
  );
}
