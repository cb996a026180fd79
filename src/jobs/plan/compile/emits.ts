// Compiles a job's emits in two passes: the first only looks for ids that are too long, so that an event is written to the sink whole or not at all.
import { keyBytesMax } from "../../../model/avro/json-values.ts";
import type { GraphModel, PropertyModel, ValueType } from "../../../model/definition.ts";
import type { Contribution, Emit, Expression } from "../../../model/plan.ts";
import { propertyFormOf, storageClassOf } from "../../../model/update/batch.ts";
import { idTooLong, nestedItemsMax, tooManyItems } from "../result.ts";
import type { ExpressionCompiler } from "./expressions.ts";
import { typeName } from "./expressions.ts";
import { itemLayoutOf } from "./layout.ts";
import { and, or, type Operand, type RangeOperand, spread, truth } from "./operand.ts";
import { badPlan, type Source } from "./source.ts";
import type { WalkWriter } from "./walk.ts";

type Each = Emit & { readonly kind: "each" };
type Upsert = Emit & { readonly kind: "upsertNode" | "upsertEdge" };

export class EmitCompiler {
  private readonly model: GraphModel;
  private readonly compiler: ExpressionCompiler;
  private readonly walks: WalkWriter;
  /** Module level of the generated source: functions and Int32Arrays of items. */
  private readonly functions: Source;
  private readonly itemWalks = new Map<string, string>();
  /** Loops around the code that is being written. */
  private depth = 0;
  /** Whether the first pass uses the variable `items`. */
  countsItems = false;
  /** Variables of sinks, by name, and where the sink has them. */
  readonly sinks = new Map<string, string>();

  constructor(model: GraphModel, compiler: ExpressionCompiler, walks: WalkWriter, functions: Source) {
    this.model = model;
    this.compiler = compiler;
    this.walks = walks;
    this.functions = functions;
  }

  // --- first pass ------------------------------------------------------------------------------------------------

  check(emits: readonly Emit[], place: string): void {
    emits.forEach((emit, i) => this.checkOne(emit, `${place}[${i}]`));
  }

  private checkOne(emit: Emit, place: string): void {
    const { compiler } = this;
    compiler.place = place;
    switch (emit.kind) {
      case "upsertNode":
      case "removeNode":
        this.checkIds([this.id(emit.id)]);
        return this.checkItems(emit, this.model.nodes, [emit.id], place);
      case "upsertEdge":
      case "removeEdge":
        this.checkIds([this.id(emit.from), this.id(emit.to)]);
        return this.checkItems(emit, this.model.edges, [emit.from, emit.to], place);
      case "when": {
        const { part } = compiler.apart(() => this.check(emit.emit, `${place}.emit`));
        if (part.empty) return;
        const chosen = truth(compiler.compile(emit.condition));
        return compiler.code.block(`if (${chosen})`, () => compiler.code.place(part));
      }
      case "each": {
        const { part } = compiler.apart(() => {
          this.each(emit, place, () => {
            this.countItem(1);
            this.check(emit.emit, `${place}.emit`);
          });
        });
        if (!part.mentions(" return ")) return;
        if (part.mentions(` return ${tooManyItems};`) || !lengthIsBoundedByArray(emit))
          return compiler.code.place(part);
        const { has, start, end } = this.array(emit.array);
        const large = and(has, `${end} - ${start} > ${keyBytesMax}`);
        return compiler.code.block(`if (${large})`, () => compiler.code.place(part));
      }
    }
  }

  /** An edge without one of its ends is skipped whatever the other end is. */
  private checkIds(ids: readonly RangeOperand[]): void {
    const given = ids.map((id) => and(id.has, `${id.end} > ${id.start}`));
    const tooLong = ids.map((id, i) => {
      if (id.bytesMax !== undefined && id.bytesMax <= keyBytesMax) return "false";
      if (this.compiler.isShared(`checked ${spread(id)}`)) return "false";
      const others = given.filter((_, other) => other !== i);
      if (others.length === 0) this.compiler.shared(`checked ${spread(id)}`, () => "");
      return and(id.has, ...others, `${id.end} - ${id.start} > ${keyBytesMax}`);
    });
    const refused = or(...tooLong);
    if (refused !== "false") this.compiler.code.line(`if (${refused}) return ${idTooLong};`);
  }

  /** Counts the items that an upsert within `each` contributes to sets. */
  private checkItems(
    emit: Exclude<Emit, { kind: "each" | "when" }>,
    types: readonly { readonly name: string; readonly properties: readonly PropertyModel[] }[],
    idExpressions: readonly Expression[],
    place: string,
  ): void {
    if (this.depth === 0 || !("properties" in emit)) return;
    const { compiler } = this;
    const { properties } = types[indexOfType(types, emit.type, place)]!;
    const sets = new Set(properties.filter(({ merge }) => merge === "union").map(({ name }) => name));
    const { part } = compiler.apart(() => {
      for (const { property, value } of emit.properties) {
        if (!sets.has(property) || value.type.kind !== "array") continue;
        const array = this.array(value);
        this.loop(array, array.type.item, () => this.countItem(1));
      }
    });
    if (part.empty) return;
    const ids = idExpressions.map((id) => this.id(id));
    compiler.code.block(`if (${givenCondition(ids)})`, () => compiler.code.place(part));
  }

  /** Within a loop that is itself within `outer` loops. */
  private countItem(outer: number): void {
    if (this.depth <= outer) return;
    this.countsItems = true;
    this.compiler.code.line(`if (++items > ${nestedItemsMax}) return ${tooManyItems};`);
  }

  private id(expression: Expression): RangeOperand {
    const operand = this.compiler.coerce(this.compiler.compile(expression), { kind: "string" });
    if (operand.form !== "range")
      throw badPlan(this.compiler.place, `An id is a string, not ${typeName(operand.type)}.`);
    if (typeof operand.literal === "string" && (operand.bytesMax ?? 0) > keyBytesMax) {
      throw badPlan(this.compiler.place, `An id is longer than ${keyBytesMax} bytes.`);
    }
    return operand;
  }

  // --- second pass -----------------------------------------------------------------------------------------------

  write(emits: readonly Emit[], place: string): void {
    emits.forEach((emit, i) => this.writeOne(emit, `${place}[${i}]`));
  }

  private writeOne(emit: Emit, place: string): void {
    const { compiler } = this;
    compiler.place = place;
    compiler.code.comment("type" in emit ? `${emit.kind} ${emit.type}` : emit.kind);
    switch (emit.kind) {
      case "upsertNode":
      case "removeNode":
        return this.node(emit, place);
      case "upsertEdge":
      case "removeEdge":
        return this.edge(emit, place);
      case "when":
        return compiler.block(`if (${truth(compiler.compile(emit.condition))})`, () =>
          this.write(emit.emit, `${place}.emit`),
        );
      case "each":
        return this.each(emit, place, () => this.write(emit.emit, `${place}.emit`));
    }
  }

  private node(emit: Emit & { readonly kind: "upsertNode" | "removeNode" }, place: string): void {
    const type = indexOfType(this.model.nodes, emit.type, place);
    const id = this.id(emit.id);
    const intern = this.reference(type, id);
    const sink = this.sink(`node${type}`, `sink.nodes[${type}]`);
    this.guarded([id], () => {
      const reference = intern();
      if (emit.kind === "removeNode") this.compiler.code.line(`${sink}.remove(${reference}, time);`);
      else this.upsert(emit, this.model.nodes[type]!.properties, sink, reference, place);
    });
  }

  private edge(emit: Emit & { readonly kind: "upsertEdge" | "removeEdge" }, place: string): void {
    const type = indexOfType(this.model.edges, emit.type, place);
    const model = this.model.edges[type]!;
    const [from, to] = [this.id(emit.from), this.id(emit.to)];
    const internFrom = this.reference(indexOfType(this.model.nodes, model.from, place), from);
    const internTo = this.reference(indexOfType(this.model.nodes, model.to, place), to);
    const sink = this.sink(`edge${type}`, `sink.edges[${type}]`);
    this.guarded([from, to], () => {
      const references = `${internFrom()}, ${internTo()}`;
      if (emit.kind === "removeEdge") this.compiler.code.line(`${sink}.remove(${references}, time);`);
      else this.upsert(emit, model.properties, sink, references, place);
    });
  }

  /** The update is emitted where all ids are there and not empty, else it is skipped. */
  private guarded(ids: readonly RangeOperand[], body: () => void): void {
    const given = givenCondition(ids);
    if (given === "false") return this.compiler.code.line("skipped++;");
    this.compiler.block(`if (${given})`, () => {
      body();
      this.compiler.code.line("emitted++;");
    });
    this.compiler.otherwise(() => this.compiler.code.line("skipped++;"));
  }

  /** Declares the variable of an id's reference; what it returns writes the code that fills it, once for all updates that mention the id. */
  private reference(nodeType: number, id: RangeOperand): () => string {
    const { compiler } = this;
    const { name, isNew } = compiler.shared(`reference ${nodeType} ${spread(id)}`, () => {
      const fresh = compiler.code.fresh("r");
      compiler.code.line(`let ${fresh} = -1;`);
      return fresh;
    });
    const sink = this.sink(`node${nodeType}`, `sink.nodes[${nodeType}]`);
    return () => {
      compiler.code.line(`${isNew ? "" : `if (${name} < 0) `}${name} = ${sink}.intern(${spread(id)});`);
      return name;
    };
  }

  private sink(name: string, path: string): string {
    this.sinks.set(name, path);
    return name;
  }

  private upsert(
    emit: Upsert,
    properties: readonly PropertyModel[],
    sink: string,
    references: string,
    place: string,
  ): void {
    const { compiler } = this;
    if (emit.properties.length === 0) return compiler.code.line(`${sink}.upsert(${references}, time);`);
    const row = compiler.code.fresh("row");
    compiler.code.line(`const ${row} = ${sink}.upsert(${references}, time);`);
    for (const contribution of emit.properties) {
      compiler.place = `${place}.properties.${contribution.property}`;
      const index = properties.findIndex((property) => property.name === contribution.property);
      if (index < 0) throw badPlan(compiler.place, `${emit.type} has no property ${contribution.property}.`);
      const target = this.sink(`${sink}p${index}`, `${sink}.properties[${index}]`);
      this.contribute(contribution, properties[index]!, target, row);
    }
  }

  private contribute(contribution: Contribution, property: PropertyModel, target: string, row: string): void {
    const { compiler } = this;
    const operand = compiler.compile(contribution.value);
    compiler.code.comment(`.${property.name}`);
    const form = propertyFormOf(property);
    if (form === "set") return this.contributeItems(operand, property.type, target, row);
    const value = compiler.coerce(operand, form === "counter" ? { kind: "int64" } : property.type);
    if (form === "counter") {
      if (value.has !== "false") compiler.code.line(`${guard(value.has)}${target}.add(${row}, ${argument(value)});`);
      return;
    }
    writeValue(
      compiler.code,
      value,
      `${target}.set(${row}, time, ${argument(value)});`,
      `${target}.setNull(${row}, time);`,
    );
  }

  private contributeItems(operand: Operand, type: ValueType, target: string, row: string): void {
    const add = { number: "addNumber", int64: "addInt64", bytes: "addBytes" }[storageClassOf(type)];
    const write = (item: Operand): void => {
      const value = this.compiler.coerce(item, type);
      writeValue(
        this.compiler.code,
        value,
        `${target}.${add}(${row}, ${argument(value)});`,
        `${target}.addNull(${row});`,
      );
    };
    if (operand.type.kind !== "array" || operand.form !== "range") return write(operand);
    const { item } = operand.type;
    if (operand.isNull !== "false") this.compiler.code.line(`${guard(operand.isNull)}${target}.addNull(${row});`);
    this.loop(operand, item, () => {
      write(this.compiler.compile({ kind: "field", scope: { kind: "item", depth: 0 }, path: [], type: item }));
    });
  }

  // --- arrays ----------------------------------------------------------------------------------------------------

  private array(expression: Expression): RangeOperand & { readonly type: ValueType & { readonly kind: "array" } } {
    const operand = this.compiler.compile(expression);
    const { type } = operand;
    if (operand.form !== "range" || type.kind !== "array") {
      throw badPlan(this.compiler.place, `each takes an array, not ${typeName(type)}.`);
    }
    return { ...operand, type };
  }

  private each(emit: Each, place: string, body: () => void): void {
    this.compiler.place = place;
    const array = this.array(emit.array);
    this.loop(array, array.type.item, body);
  }

  /** Runs the body once per item, whose fields it reads as those of the innermost `each`. What the body builds in the scratch buffer goes with the item. */
  private loop(array: RangeOperand, type: ValueType, body: () => void): void {
    if (array.has === "false") return;
    const { compiler } = this;
    const layout = itemLayoutOf(type, () => true);
    const name = this.itemWalk(type);
    const [position, left, mark] = [compiler.code.fresh("p"), compiler.code.fresh("left"), compiler.code.fresh("mark")];
    compiler.block(`if (${array.has})`, () => {
      compiler.code.line(`let ${position} = ${array.start}, ${left} = 0;`);
      compiler.block("for (;;)", () => {
        compiler.code.block(`if (${left} === 0)`, () => {
          compiler.code.line(`${position} = blockAt(${array.buffer}, ${position}, ${array.end});`);
          compiler.code.line(`if ((${left} = cursor.value) === 0) break;`);
        });
        compiler.code.line(`${left}--;`);
        compiler.code.line(`${position} = ${name}(${array.buffer}, ${position}, ${array.end});`);
        compiler.code.line(`const ${mark} = scratch.length;`);
        this.depth++;
        compiler.withItem({ layout, bytes: array.buffer, offsets: `${name}Fields`, whole: true }, body);
        this.depth--;
        compiler.code.line(`scratch.length = ${mark};`);
      });
    });
  }

  /** The function that finds an item's fields. Loops at the same depth are never one within the other and share it. */
  private itemWalk(type: ValueType): string {
    const key = `${this.depth} ${JSON.stringify(type)}`;
    const known = this.itemWalks.get(key);
    if (known !== undefined) return known;
    const layout = itemLayoutOf(type, () => true);
    const code = this.functions.part();
    const name = code.fresh("item");
    this.itemWalks.set(key, name);
    code.line(`const ${name}Fields = new Int32Array(${layout.size});`);
    code.block(`function ${name}(b, p, e)`, () => {
      code.line("let n = 0;");
      this.walks.item(code, type, layout, `${name}Fields`, "return -1;");
      code.line("return p;");
    });
    this.functions.place(code);
    return name;
  }
}

function indexOfType(types: readonly { readonly name: string }[], name: string, place: string): number {
  const index = types.findIndex((type) => type.name === name);
  if (index < 0) throw badPlan(place, `There is no type ${name}.`);
  return index;
}

/** All ids are there and not empty. */
function givenCondition(ids: readonly RangeOperand[]): string {
  return and(...ids.map((id) => and(id.has, id.has === "false" ? "false" : `${id.end} > ${id.start}`)));
}

function guard(condition: string): string {
  return condition === "true" ? "" : `if (${condition}) `;
}

function argument(operand: Operand): string {
  if (operand.form === "range") return spread(operand);
  return operand.form === "boolean" ? `(${operand.value}) ? 1 : 0` : operand.value;
}

function writeValue(code: Source, operand: Operand, set: string, setNull: string): void {
  if (operand.has !== "false") code.line(guard(operand.has) + set);
  if (operand.isNull !== "false") code.line(guard(operand.isNull) + setNull);
}

/** Whether no id within can be longer than the array's bytes: every id is a plain field of an item. */
function lengthIsBoundedByArray(each: Each): boolean {
  const plain = (expression: Expression): boolean =>
    expression.kind === "null" || (expression.kind === "field" && expression.scope.kind === "item");
  const bounded = (emits: readonly Emit[], depth: number): boolean =>
    emits.every((emit) => {
      switch (emit.kind) {
        case "upsertNode":
        case "removeNode":
          return within(emit.id, depth);
        case "upsertEdge":
        case "removeEdge":
          return within(emit.from, depth) && within(emit.to, depth);
        case "when":
          return bounded(emit.emit, depth);
        case "each":
          return within(emit.array, depth) && bounded(emit.emit, depth + 1);
      }
    });
  const within = (expression: Expression, depth: number): boolean =>
    plain(expression) &&
    (expression.kind !== "field" || expression.scope.kind !== "item" || expression.scope.depth <= depth);
  return bounded(each.emit, 0);
}
