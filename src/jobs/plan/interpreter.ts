// Runs a job's plan the naive way, on JavaScript values, one expression after the other: it defines what compiled jobs and other engines must yield.
import { keyBytesMax } from "../../model/avro/json-values.ts";
import type { GraphModel, JobModel, PropertyModel, ScalarType } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";
import type { Contribution, Emit, Expression } from "../../model/plan.ts";
import { eventOf } from "./compiler.ts";
import type { RecordValue } from "./decode.ts";
import { applyFunction } from "./functions.ts";
import { canonicalInt64 } from "./functions/arithmetic.ts";
import { nestedItemsMax } from "./result.ts";

/** One update: `ids` holds a node's id, or an edge's from and to. */
export interface PlainUpdate {
  readonly kind: "upsertNode" | "removeNode" | "upsertEdge" | "removeEdge";
  /** Index of the type in the definition's `nodes` or `edges`. */
  readonly type: number;
  readonly ids: readonly string[];
  readonly timeMs: number;
  /** In order of the plan; of a set each item is a contribution of its own. Absent values are left out. */
  readonly properties: readonly { readonly property: number; readonly value: PropertyValue }[];
}

export type Interpreted =
  | { readonly kind: "mapped"; readonly updates: readonly PlainUpdate[]; readonly skipped: number }
  | { readonly kind: "filtered" }
  | { readonly kind: "quarantined"; readonly cause: "time_in_future" | "id_too_long" | "too_many_items" };

/** The row of a side input as of the event's receipt. */
export type FindRow = (input: string, key: string) => RecordValue | undefined;

export function interpretJob(
  model: GraphModel,
  job: JobModel,
  event: RecordValue,
  receivedMs: number,
  findRow: FindRow,
): Interpreted {
  const timeMs = event[eventOf(model, job).time] as number;
  if (timeMs > receivedMs + model.skewMaxMs) return { kind: "quarantined", cause: "time_in_future" };
  const run = new Run(model, event, timeMs);
  for (const step of job.steps) {
    if (step.kind === "where") {
      if (run.evaluate(step.condition) !== true) return { kind: "filtered" };
    } else {
      const key = run.evaluate(step.key);
      run.sides.set(step.alias, typeof key === "string" && key !== "" ? findRow(step.input, key) : undefined);
    }
  }
  run.emit(job.output.kind === "emit" ? job.output.emit : []);
  if (run.cause !== undefined) return { kind: "quarantined", cause: run.cause };
  return { kind: "mapped", updates: run.updates, skipped: run.skipped };
}

class Run {
  private readonly model: GraphModel;
  private readonly event: RecordValue;
  private readonly timeMs: number;
  readonly sides = new Map<string, RecordValue | undefined>();
  /** Items of the enclosing `each`, innermost first. */
  private items: readonly PropertyValue[] = [];
  readonly updates: PlainUpdate[] = [];
  skipped = 0;
  /** The first reason to quarantine the event; nothing is done any more behind it. */
  cause: "id_too_long" | "too_many_items" | undefined;
  private nestedItems = 0;

  constructor(model: GraphModel, event: RecordValue, timeMs: number) {
    this.model = model;
    this.event = event;
    this.timeMs = timeMs;
  }

  evaluate(expression: Expression): PropertyValue {
    switch (expression.kind) {
      case "field": {
        const { scope, path } = expression;
        if (scope.kind === "event") return follow(this.event, path);
        return follow(scope.kind === "side" ? this.sides.get(scope.alias) : this.items[scope.depth], path);
      }
      case "literal":
        return literalValue(expression.value, expression.type);
      case "null":
        return null;
      case "call": {
        const args = expression.args.map((arg) => this.evaluate(arg));
        return applyFunction(
          expression.function,
          args,
          expression.args.map((arg) => arg.type),
        );
      }
    }
  }

  emit(emits: readonly Emit[]): void {
    for (const emit of emits) if (this.cause === undefined) this.emitOne(emit);
  }

  private emitOne(emit: Emit): void {
    switch (emit.kind) {
      case "upsertNode":
      case "removeNode":
        return this.update(emit, this.model.nodes, [emit.id]);
      case "upsertEdge":
      case "removeEdge":
        return this.update(emit, this.model.edges, [emit.from, emit.to]);
      case "when":
        if (this.evaluate(emit.condition) === true) this.emit(emit.emit);
        return;
      case "each": {
        const outer = this.items;
        for (const item of (this.evaluate(emit.array) ?? []) as readonly PropertyValue[]) {
          if (item === undefined || item === null) continue;
          if (outer.length > 0) this.countItem();
          if (this.cause !== undefined) break;
          this.items = [item, ...outer];
          this.emit(emit.emit);
        }
        this.items = outer;
      }
    }
  }

  private update(
    emit: Exclude<Emit, { kind: "when" | "each" }>,
    types: readonly { readonly name: string; readonly properties: readonly PropertyModel[] }[],
    idExpressions: readonly Expression[],
  ): void {
    const type = types.findIndex((each) => each.name === emit.type);
    const ids = idExpressions.map((id) => this.evaluate(id));
    if (ids.some((id) => typeof id !== "string" || id === "")) {
      this.skipped++;
      return;
    }
    if (ids.some((id) => Buffer.byteLength(id as string) > keyBytesMax)) {
      this.cause = "id_too_long";
      return;
    }
    const properties = "properties" in emit ? emit.properties : [];
    this.updates.push({
      kind: emit.kind,
      type,
      ids: ids as string[],
      timeMs: this.timeMs,
      properties: properties.flatMap((contribution) => this.contribute(contribution, types[type]!.properties)),
    });
  }

  private countItem(): void {
    this.nestedItems++;
    if (this.nestedItems > nestedItemsMax) this.cause = "too_many_items";
  }

  private contribute(contribution: Contribution, properties: readonly PropertyModel[]): PlainUpdate["properties"] {
    const property = properties.findIndex((each) => each.name === contribution.property);
    const value = this.evaluate(contribution.value);
    const { merge } = properties[property]!;
    if (value === undefined || (merge === "sum" && value === null)) return [];
    const values = merge === "union" && Array.isArray(value) ? (value as readonly PropertyValue[]) : undefined;
    if (values === undefined) return [{ property, value }];
    if (this.items.length > 0) values.forEach(() => this.countItem());
    return values.map((item) => ({ property, value: item }));
  }
}

/** A field of a record or of a record within it; absent where there is none. */
function follow(record: PropertyValue, path: readonly string[]): PropertyValue {
  let value = record;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as RecordValue)[name] ?? undefined;
  }
  return value;
}

function literalValue(value: string | number | boolean, type: ScalarType): PropertyValue {
  if (type.kind === "int64") return canonicalInt64(BigInt(value));
  if (type.kind === "bytes") return new Uint8Array(Buffer.from(value as string, "base64"));
  return value;
}
