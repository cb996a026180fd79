// Random graphs with one random job, and random events and rows for it: all functions, types and nestings of the plan language, over few values so that they meet.
import type { Random } from "../../src/core/random.ts";
import type { RecordValue } from "../../src/jobs/plan/decode.ts";
import type {
  FieldModel,
  GraphModel,
  JobModel,
  PropertyModel,
  ScalarType,
  ValueType,
} from "../../src/model/definition.ts";
import type { Contribution, Emit, Expression, FieldScope, FunctionName, PlanStep } from "../../src/model/plan.ts";
import type { Int64 } from "../../src/model/update/sink.ts";
import { call, isScalar, long, pathsOf, text } from "./expressions.ts";
import { RandomValues, names, declarableNames, dayMs } from "./random-values.ts";

const symbols = ["red", "green", "blue", "amber"];

export const eventTimeMs = 1_700_000_000_000;

/** What a definition has besides its plan; `declarable` names are those of the definition language, others are anything. */
export interface RandomJobOptions {
  readonly declarable?: boolean;
  readonly partitions?: number;
  readonly dedupHorizonMs?: number;
  readonly settings?: JobModel["settings"];
  readonly latenessMs?: number;
  readonly tombstoneGraceMs?: number;
  /** Of every second type of nodes and edges. */
  readonly ttlMs?: number | undefined;
}

export class RandomJob {
  private readonly values: RandomValues;
  private readonly names: readonly string[];
  readonly model: GraphModel;
  private readonly readable: {
    readonly scope: FieldScope;
    readonly path: readonly string[];
    readonly type: ValueType;
  }[] = [];
  private itemFields: { readonly path: readonly string[]; readonly type: ValueType }[][] = [];

  constructor(random: Random, options: RandomJobOptions = {}) {
    const { declarable = false, partitions = 1, dedupHorizonMs = 1000, ttlMs } = options;
    const name = (text: string): string => (declarable ? text.replaceAll(" ", "_") : text);
    const ttl = (i: number): { readonly ttlMs?: number } => (ttlMs === undefined || i % 2 === 1 ? {} : { ttlMs });
    this.values = new RandomValues(random);
    this.names = declarable ? declarableNames : names;
    const eventFields = [
      ...this.fields(2, 3 + this.below(6)).filter(({ name }) => name !== "key" && name !== "at"),
      { name: "key", type: { kind: "string" }, optional: false } as const,
      { name: "at", type: { kind: "timestamp" }, optional: false } as const,
      { name: "lines", type: { kind: "array", item: this.type(2) }, optional: this.chance(2) } as const,
    ];
    const sideFields = [
      ...this.fields(1, 1 + this.below(4)),
      { name: "sideKey", type: { kind: "string" }, optional: false } as const,
    ];
    const nodes = Array.from({ length: 1 + this.below(3) }, (_, i) => ({
      name: name(`node ${i}`),
      properties: this.properties(eventFields),
      ...ttl(i),
    }));
    const edges = Array.from({ length: 1 + this.below(2) }, (_, i) => ({
      name: name(`edge ${i}`),
      from: this.pick(nodes).name,
      to: this.pick(nodes).name,
      properties: this.properties(eventFields),
      ...ttl(i),
    }));
    const withoutJob: GraphModel = {
      format: 1,
      name: "random",
      events: [
        {
          name: "happened",
          fields: eventFields,
          key: "key",
          time: "at",
          ...(this.chance(2) ? { id: "key" } : {}),
          dedupHorizonMs,
          partitions,
          retention: {},
        },
      ],
      sideInputs: [{ name: name("side input"), fields: sideFields, key: "sideKey" }],
      nodes,
      edges,
      jobs: [],
      skewMaxMs: 1000,
      latenessMs: options.latenessMs ?? 1000,
      tombstoneGraceMs: options.tombstoneGraceMs ?? 1000,
    };
    this.addReadable({ kind: "event" }, eventFields);
    const steps = this.steps(name("side input"), sideFields);
    const { settings = { windowMs: 0, windowKeysMax: 10, windowBytesMax: 1000, parallelism: 1 } } = options;
    const emit = this.emits(withoutJob, 3, 2 + this.below(4));
    this.model = { ...withoutJob, jobs: [{ event: "happened", settings, steps, output: { kind: "emit", emit } }] };
  }

  // --- types -------------------------------------------------------------------------------------------------------

  private fields(depth: number, count: number): FieldModel[] {
    const taken = new Set<string>();
    for (let i = 0; i < count; i++) taken.add(this.pick(this.names));
    return [...taken].map((name) => ({ name, type: this.type(depth), optional: this.chance(3) }));
  }

  private scalar(): ScalarType {
    const kinds = ["string", "string", "int32", "int64", "double", "boolean", "timestamp", "bytes", "enum"] as const;
    const kind = this.pick(kinds);
    if (kind !== "enum") return { kind };
    return {
      kind,
      symbols: this.chance(6)
        ? Array.from({ length: 200 }, (_, i) => `symbol${i}`)
        : symbols.slice(0, 1 + this.below(4)),
    };
  }

  private type(depth: number): ValueType {
    if (depth === 0 || this.chance(2)) return this.scalar();
    const kind = this.pick(["array", "map", "record", "record"] as const);
    if (kind === "array") return { kind, item: this.type(depth - 1) };
    if (kind === "map") return { kind, value: this.type(depth - 1) };
    return { kind, fields: this.fields(depth - 1, 1 + this.below(3)) };
  }

  private properties(eventFields: readonly FieldModel[]): PropertyModel[] {
    const taken = new Set(Array.from({ length: this.below(5) }, () => this.pick(this.names)));
    return [...taken].map((name): PropertyModel => {
      const merge = this.pick(["last", "first", "min", "max", "union", "sum"] as const);
      if (merge === "sum") return { name, type: { kind: "int64" }, merge };
      const opaque = (merge === "last" || merge === "first") && this.chance(3);
      return { name, type: opaque ? this.pick(eventFields).type : this.scalar(), merge };
    });
  }

  private addReadable(scope: FieldScope, fields: readonly FieldModel[]): void {
    for (const { path, type } of pathsOf(fields, [])) this.readable.push({ scope, path, type });
  }

  // --- plans -------------------------------------------------------------------------------------------------------

  private steps(input: string, sideFields: readonly FieldModel[]): PlanStep[] {
    return Array.from({ length: this.below(4) }, (_, i): PlanStep => {
      if (this.chance(2)) {
        // Mostly conditions that let events pass.
        const condition = this.expression({ kind: "boolean" }, 2);
        const passes = call(
          "or",
          { kind: "boolean" },
          condition,
          call("isPresent", { kind: "boolean" }, this.expression(this.scalar(), 1)),
        );
        return { kind: "where", condition: this.chance(4) ? condition : passes };
      }
      const alias = `${this.pick(this.names)} ${i}`;
      const key = this.expression({ kind: "string" }, 1);
      this.addReadable({ kind: "side", alias }, sideFields);
      return { kind: "enrich", alias, input, key };
    });
  }

  private emits(model: GraphModel, depth: number, count: number): Emit[] {
    return Array.from({ length: count }, (): Emit => {
      const choice = this.below(depth === 0 ? 8 : 12);
      if (choice < 4) {
        const node = this.pick(model.nodes);
        const id = this.id();
        if (this.chance(5)) return { kind: "removeNode", type: node.name, id };
        return { kind: "upsertNode", type: node.name, id, properties: this.contributions(node.properties) };
      }
      if (choice < 8) {
        const edge = this.pick(model.edges);
        const [from, to] = [this.id(), this.id()];
        if (this.chance(5)) return { kind: "removeEdge", type: edge.name, from, to };
        return { kind: "upsertEdge", type: edge.name, from, to, properties: this.contributions(edge.properties) };
      }
      if (choice < 9)
        return {
          kind: "when",
          condition: this.expression({ kind: "boolean" }, 2),
          emit: this.emits(model, depth - 1, 2),
        };
      const array = this.array();
      this.itemFields = [this.itemPaths(array.item), ...this.itemFields];
      const emit = this.emits(model, depth - 1, 1 + this.below(2));
      this.itemFields = this.itemFields.slice(1);
      return { kind: "each", array: array.expression, emit };
    });
  }

  private array(): { readonly expression: Expression; readonly item: ValueType } {
    const fields = this.everyField().flatMap((field) =>
      field.type.kind === "array" ? [{ ...field, item: field.type.item }] : [],
    );
    if (fields.length > 0 && !this.chance(4)) {
      const { item, scope, path, type } = this.pick(fields);
      return { expression: { kind: "field", scope, path, type }, item };
    }
    const item: ValueType = { kind: "string" };
    return { expression: this.expression({ kind: "array", item }, 2), item };
  }

  private itemPaths(item: ValueType): { readonly path: readonly string[]; readonly type: ValueType }[] {
    return [{ path: [], type: item }, ...(item.kind === "record" ? pathsOf(item.fields, []) : [])];
  }

  private everyField(): typeof this.readable {
    const items = this.itemFields.flatMap((fields, depth) =>
      fields.map((field) => ({ scope: { kind: "item", depth } as const, ...field })),
    );
    return [...this.readable, ...items, ...items];
  }

  /** Mostly short ones. */
  private id(): Expression {
    const id = this.expression({ kind: "string" }, this.below(3));
    return this.chance(3) ? call("substring", { kind: "string" }, id, long(0), long(10)) : id;
  }

  private contributions(properties: readonly PropertyModel[]): Contribution[] {
    return properties
      .filter(() => !this.chance(4))
      .map(({ name, type, merge }) => {
        if (merge === "union" && type.kind === "string" && this.chance(2)) {
          return { property: name, value: this.expression({ kind: "array", item: type }, 2) };
        }
        if (this.chance(10)) return { property: name, value: { kind: "null", type } };
        return { property: name, value: this.fitting(type, 3) };
      });
  }

  // --- expressions -------------------------------------------------------------------------------------------------

  /** Of the type, or of one that is widened to it. */
  private fitting(type: ValueType, depth: number): Expression {
    if (!this.chance(5)) return this.expression(type, depth);
    if (type.kind === "string") return this.expression({ kind: "enum", symbols }, depth);
    if (type.kind === "int64" || type.kind === "double") return this.expression({ kind: "int32" }, depth);
    if (type.kind === "enum") {
      const fewer = type.symbols.slice(0, 1 + this.below(type.symbols.length));
      return this.expression({ kind: "enum", symbols: fewer }, depth);
    }
    return this.expression(type, depth);
  }

  expression(type: ValueType, depth: number): Expression {
    const fields = this.everyField().filter((field) => JSON.stringify(field.type) === JSON.stringify(type));
    if (depth > 0 && this.chance(2)) return this.compound(type, depth - 1);
    if (fields.length > 0 && !this.chance(4)) {
      const { scope, path } = this.pick(fields);
      return { kind: "field", scope, path, type };
    }
    return isScalar(type) ? this.literal(type) : { kind: "null", type };
  }

  private compound(type: ValueType, depth: number): Expression {
    const of = (kind: Exclude<ScalarType["kind"], "enum">): Expression => this.expression({ kind }, depth);
    const same = (): Expression => (this.chance(8) ? { kind: "null", type } : this.fitting(type, depth));
    const make = (name: FunctionName, ...args: Expression[]): Expression => call(name, type, ...args);
    const choices: (() => Expression)[] = [
      () => make("orElse", same(), same()),
      () => make("choose", of("boolean"), same(), ...(this.chance(2) ? [same()] : [])),
    ];
    const integer = (): Expression => of(this.chance(3) ? "int32" : "int64");
    if (isScalar(type)) {
      choices.push(() => {
        const x = this.scalar();
        const pairs = Array.from({ length: this.below(3) }, () => [this.literal(x), this.literal(type)]);
        return make("mapEnum", this.expression(x, depth), ...pairs.flat());
      });
    }
    if (type.kind === "string") {
      choices.push(
        () => make("concat", ...Array.from({ length: this.below(4) }, () => of("string"))),
        () => make(this.pick(["lower", "upper", "hash"] as const), of("string")),
        () => make("substring", of("string"), this.small(), ...(this.chance(2) ? [this.small()] : [])),
        () => make("substring", of("string"), integer(), integer()),
        () => make("toText", integer()),
      );
    }
    if (type.kind === "boolean") choices.push(...this.predicates(depth));
    if (type.kind === "int64") {
      choices.push(
        () => make(this.pick(["add", "subtract", "multiply", "div", "rem"] as const), integer(), integer()),
        () => make("length", of("string")),
        () => make("toInt64", of("double")),
        () => make("toMillis", of("timestamp")),
      );
    }
    if (type.kind === "double") {
      choices.push(
        () => make(this.pick(["add", "subtract", "multiply", "divide"] as const), of("double"), of("double")),
        () => make(this.pick(["floor", "ceil"] as const), of("double")),
        () => make("toDouble", integer()),
      );
    }
    if (type.kind === "timestamp") {
      choices.push(
        () => make("truncate", of("timestamp"), text(this.pick(["second", "minute", "hour", "day", "week"]))),
        () => make("plus", of("timestamp"), integer()),
        () => make("fromMillis", integer()),
      );
    }
    if (type.kind === "array" && type.item.kind === "string") {
      choices.push(() => make("split", of("string"), text(this.pick([",", "a", "😀", "é", ",,", "long "]))));
    }
    return this.pick(choices)();
  }

  private predicates(depth: number): (() => Expression)[] {
    const make = (name: FunctionName, ...args: Expression[]): Expression => call(name, { kind: "boolean" }, ...args);
    const any = (): Expression =>
      this.expression(this.chance(4) ? this.pick(this.everyField()).type : this.scalar(), depth);
    const pair = (): [Expression, Expression] => {
      const type = this.scalar();
      return [this.expression(type, depth), this.expression(type, depth)];
    };
    const condition = (): Expression => this.expression({ kind: "boolean" }, depth);
    return [
      () => make(this.pick(["isPresent", "isAbsent"] as const), any()),
      () => make(this.pick(["equals", "gt", "gte", "lt", "lte"] as const), ...pair()),
      () =>
        make(
          this.pick(["equals", "gt", "lte"] as const),
          this.expression({ kind: "int32" }, depth),
          this.expression({ kind: "int64" }, depth),
        ),
      () => {
        const type = this.scalar();
        return make(
          "in",
          this.expression(type, depth),
          ...Array.from({ length: this.below(4) }, () => this.literal(type)),
        );
      },
      () => make(this.pick(["and", "or"] as const), ...Array.from({ length: this.below(4) }, condition)),
      () => make("not", condition()),
      () => make("equals", this.expression({ kind: "enum", symbols }, depth), this.fitting({ kind: "string" }, depth)),
      () =>
        make(
          this.pick(["startsWith", "endsWith", "contains"] as const),
          this.expression({ kind: "string" }, depth),
          this.expression({ kind: "string" }, depth),
        ),
    ];
  }

  private small(): Expression {
    return long(this.below(6) - 2);
  }

  private literal(type: ScalarType): Expression {
    const value = this.values.value(type);
    if (type.kind === "int64") return { kind: "literal", value: `${value as Int64}`, type };
    if (type.kind === "bytes")
      return { kind: "literal", value: Buffer.from(value as Uint8Array).toString("base64"), type };
    // Ids that are too long as literals are refused when the plan is compiled.
    if (typeof value === "string" && type.kind === "string")
      return { kind: "literal", value: value.slice(0, 100), type };
    return { kind: "literal", value: value as number, type };
  }

  // --- values ------------------------------------------------------------------------------------------------------

  event(): RecordValue {
    return Object.assign(this.record(this.model.events[0]!.fields), {
      at: eventTimeMs + this.pick([0, -dayMs, 1000, 1001]),
    });
  }

  row(): RecordValue {
    return this.record(this.model.sideInputs[0]!.fields);
  }

  record(fields: readonly FieldModel[]): RecordValue {
    return this.values.record(fields);
  }

  // --- chance ------------------------------------------------------------------------------------------------------

  below(bound: number): number {
    return this.values.below(bound);
  }

  chance(oneIn: number): boolean {
    return this.values.chance(oneIn);
  }

  pick<T>(from: readonly T[]): T {
    return this.values.pick(from);
  }
}
