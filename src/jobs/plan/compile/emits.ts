// The second pass over a job's emits: writes the calls of the sink. See emit-checks.ts for the first.
import type { GraphModel, PropertyModel, ValueType } from "../../../model/definition.ts";
import type { Contribution, Emit } from "../../../model/plan.ts";
import { propertyFormOf, storageClassOf } from "../../../model/update/batch.ts";
import type { ExpressionCompiler } from "./expressions.ts";
import type { LoopWriter } from "./loops.ts";
import { type Operand, type RangeOperand, spread, truth } from "./operand.ts";
import { badPlan, type Source } from "./source.ts";
import { compileId, givenCondition, indexOfType } from "./update-ids.ts";

type Upsert = Emit & { readonly kind: "upsertNode" | "upsertEdge" };

export class EmitCompiler {
  private readonly model: GraphModel;
  private readonly compiler: ExpressionCompiler;
  private readonly loops: LoopWriter;
  /** Variables of sinks, by name, and where the sink has them. */
  readonly sinks = new Map<string, string>();

  constructor(model: GraphModel, compiler: ExpressionCompiler, loops: LoopWriter) {
    this.model = model;
    this.compiler = compiler;
    this.loops = loops;
  }

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
        return this.loops.each(emit, place, () => this.write(emit.emit, `${place}.emit`));
    }
  }

  private node(emit: Emit & { readonly kind: "upsertNode" | "removeNode" }, place: string): void {
    const type = indexOfType(this.model.nodes, emit.type, place);
    const id = compileId(this.compiler, emit.id);
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
    const [from, to] = [compileId(this.compiler, emit.from), compileId(this.compiler, emit.to)];
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
    this.loops.loop(operand, item, () => {
      write(this.compiler.compile({ kind: "field", scope: { kind: "item", depth: 0 }, path: [], type: item }));
    });
  }
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
