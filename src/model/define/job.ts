// `job`: a typed builder whose callbacks run once, on symbols, and leave a frozen plan.
import type { JobModel, JobSettings } from "../definition.ts";
import type { PlanStep } from "../plan.ts";
import {
  checkInteger,
  checkName,
  checkOptions,
  deepFreeze,
  definitionError,
  fieldNameMax,
  plainEntries,
  within,
} from "./check.ts";
import {
  declarationOf,
  durationMs,
  type AnyEdge,
  type AnyEvent,
  type AnyNode,
  type AnySideInput,
  type Duration,
} from "./declaration.ts";
import { lookupData, type EventDef, type Lookup } from "./event.ts";
import { rowOf, updatesOf } from "./expression-object.ts";
import type { Condition, Row } from "./expression.ts";
import type { EventFields, Value } from "./field.ts";
import { Lowering } from "./lowering.ts";
import type { Update, Updates } from "./update.ts";

export interface JobOptions {
  /** Updates to one element are merged for this long before they are published; default `1s`, at most `1h`. */
  readonly window?: Duration;
  /** The window ends early when it holds this many elements; default 50,000. */
  readonly windowKeys?: number;
  /** ... or bytes; default 32 MiB. */
  readonly windowBytes?: number;
  /** How many instances may share the partitions; default 1. */
  readonly parallelism?: number;
}

const settingsDefault: JobSettings = {
  windowMs: 1000,
  windowKeysMax: 50_000,
  windowBytesMax: 32 * 1024 * 1024,
  parallelism: 1,
};
const windowMsMax = 3_600_000;
const stepsMax = 64;

/** The result of `emit` or `map`: the processing of one event. */
export interface JobDef {
  readonly kind: "job";
  readonly event: string;
  readonly model: JobModel;
  /** What the definition must hold for this job, in order of first mention. */
  readonly uses: {
    readonly event: AnyEvent;
    readonly sideInputs: readonly AnySideInput[];
    readonly types: readonly (AnyNode | AnyEdge)[];
  };
  readonly map: MapFunction | undefined;
}
/** A user's function from a decoded event to updates with plain values. */
export type MapFunction = (event: never) => Iterable<Update>;

type Enriched<L> = { readonly [K in keyof L]: L[K] extends Lookup<infer F, never, never> ? Row<F, undefined> : never };

/** A job in the making; every call gives a new one. */
export interface JobStart<F extends EventFields, S> {
  /** Goes on only with events for which the condition holds; others count as filtered. */
  where(condition: (event: Row<F>, side: S) => Condition): JobStart<F, S>;
  /** Looks up rows of side inputs; the fields of a row that does not exist are absent. */
  enrich<L extends Readonly<Record<string, Lookup<EventFields, Row<F>, S>>>>(lookups: L): JobStart<F, S & Enriched<L>>;
  /** The updates that each event gives. The function runs once, when the job is defined. */
  emit(updates: (event: Row<F>, side: S) => Updates): JobDef;
  /**
   * The updates that each event gives, by an ordinary function: it runs for every event, must give the same for the same event, and cannot run on Flink.
   * Types that it updates and no job emits are named in `defineGraph(..., { nodes, edges })`.
   */
  map(updates: (event: Value<F>) => Iterable<Update>): JobDef;
}

interface State {
  readonly event: AnyEvent;
  readonly settings: JobSettings;
  readonly eventToken: object;
  readonly steps: readonly PlanStep[];
  readonly sides: readonly Side[];
}

interface Side {
  readonly alias: string;
  readonly token: object;
  readonly input: AnySideInput;
}

/** The processing of an event; a graph has one job per event. */
export function job<N extends string, F extends EventFields>(
  event: EventDef<N, F>,
  options: JobOptions = {},
): JobStart<F, unknown> {
  const declared = declarationOf(event, "event");
  if (declared === undefined) {
    throw definitionError("not_an_event", "job() takes an event.", "Give what event(...) returned.", "job");
  }
  const settings = within(`job ${declared.name}`, () => settingsOf(options));
  return starting({ event: declared, settings, eventToken: {}, steps: [], sides: [] });
}

function settingsOf(options: JobOptions): JobSettings {
  checkOptions(options, ["window", "windowKeys", "windowBytes", "parallelism"]);
  const { windowKeys, windowBytes, parallelism } = options;
  const windowMs = options.window === undefined ? settingsDefault.windowMs : durationMs(options.window, "window");
  checkInteger(windowMs, 0, windowMsMax, "window");
  if (windowKeys !== undefined) checkInteger(windowKeys, 1, 10_000_000, "windowKeys");
  if (windowBytes !== undefined) checkInteger(windowBytes, 1024, 1024 ** 3, "windowBytes");
  if (parallelism !== undefined) checkInteger(parallelism, 1, 1024, "parallelism");
  return {
    windowMs,
    windowKeysMax: windowKeys ?? settingsDefault.windowKeysMax,
    windowBytesMax: windowBytes ?? settingsDefault.windowBytesMax,
    parallelism: parallelism ?? settingsDefault.parallelism,
  };
}

function starting<F extends EventFields, S>(state: State): JobStart<F, S> {
  const place = `job ${state.event.name}`;
  const start = {
    where: (run: unknown) =>
      within(`${place} > where`, () =>
        starting(
          withStep(state, { kind: "where", condition: lowering(state).condition(callback(state, run, "where()")) }),
        ),
      ),
    enrich: (lookups: unknown) => within(`${place} > enrich`, () => starting(enriched(state, lookups))),
    emit: (run: unknown) => within(`${place} > emit`, () => emitting(state, run)),
    map: (run: unknown) => within(`${place} > map`, () => mapping(state, run)),
  };
  return Object.freeze(start) as unknown as JobStart<F, S>;
}

function withStep(state: State, step: PlanStep, side?: Side): State {
  if (state.steps.length >= stepsMax) {
    throw definitionError("plan_too_large", `The job has more than ${stepsMax} steps.`, "Join conditions with and().");
  }
  const sides = side === undefined ? state.sides : [...state.sides, side];
  return { ...state, steps: [...state.steps, step], sides };
}

function lowering(state: State): Lowering {
  return new Lowering(state.eventToken, new Map(state.sides.map(({ token, alias }) => [token, alias])));
}

/** Runs a user's function on symbols of the event and of what it was enriched with. */
function callback(state: State, run: unknown, what: string): unknown {
  if (typeof run !== "function") {
    throw definitionError("not_a_function", `${what} takes a function.`, "Write (e) => ... over the event's fields.");
  }
  const { name, model } = state.event;
  const event = rowOf({ kind: "event", token: state.eventToken }, model.fields, `event ${name}`);
  const sides: object = Object.create(null) as object;
  for (const { alias, token, input } of state.sides) {
    const value = rowOf({ kind: "side", token, alias }, input.model.fields, `side input ${input.name}`);
    Object.defineProperty(sides, alias, { value, enumerable: true });
  }
  return run(event, Object.freeze(sides)) as unknown;
}

function enriched(before: State, lookups: unknown): State {
  let state = before;
  for (const [alias, value] of plainEntries(lookups, "The lookups")) {
    within(alias, () => {
      checkName(alias, "a lookup", fieldNameMax);
      const lookup = lookupData(value);
      if (lookup === undefined) {
        const hint = "Write catalogue.by((e) => e.titleId).";
        throw definitionError("not_a_lookup", "enrich() takes lookups of side inputs.", hint);
      }
      if (state.sides.some((side) => side.alias === alias)) {
        throw definitionError("duplicate_alias", `"${alias}" is enriched twice.`, "Choose another name.");
      }
      // Lookups of one call do not see each other: their order would matter.
      const key = lowering(before).text(callback(before, lookup.key, "by()"));
      const step: PlanStep = { kind: "enrich", alias, input: lookup.input.name, key };
      state = withStep(state, step, { alias, token: {}, input: lookup.input });
    });
  }
  return state;
}

function emitting(state: State, run: unknown): JobDef {
  const target = lowering(state);
  const emit = target.emits(updatesOf(callback(state, run, "emit()"), "emit()"));
  return finished(state, { kind: "emit", emit }, [...target.mentioned], undefined);
}

function mapping(state: State, run: unknown): JobDef {
  if (typeof run !== "function" || run.constructor.name.startsWith("Async")) {
    const hint = "Write map((event) => [ ... ]) without async: what is to be waited for belongs into a side input.";
    throw definitionError("not_a_function", "map() takes a function that returns updates at once.", hint);
  }
  // eslint-disable-next-line typescript/no-base-to-string -- a function's text is its source
  return finished(state, { kind: "map", source: String(run) }, [], run as MapFunction);
}

function finished(
  state: State,
  output: JobModel["output"],
  mentioned: readonly (AnyNode | AnyEdge)[],
  map: MapFunction | undefined,
): JobDef {
  const model: JobModel = deepFreeze({ event: state.event.name, settings: state.settings, steps: state.steps, output });
  const uses = { event: state.event, sideInputs: state.sides.map((side) => side.input), types: mentioned };
  const definition: JobDef = { kind: "job", event: state.event.name, model, uses: Object.freeze(uses), map };
  Object.defineProperty(definition, jobKey, { value: true });
  return Object.freeze(definition);
}

const jobKey = Symbol.for("rdg.job/1");

export function isJob(value: unknown): value is JobDef {
  return typeof value === "object" && value !== null && jobKey in value;
}
