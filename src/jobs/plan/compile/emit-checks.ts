// The first pass over a job's emits: it only looks for what quarantines an event (ids that are too long, arrays multiplied with each other), so that
// the second may write without a way back. What cannot fail leaves no code.
import { keyBytesMax } from "../../../model/avro/json-values.ts";
import type { GraphModel, PropertyModel } from "../../../model/definition.ts";
import type { Emit, Expression } from "../../../model/plan.ts";
import { idTooLong, nestedItemsMax, tooManyItems } from "../result.ts";
import type { ExpressionCompiler } from "./expressions.ts";
import type { LoopWriter } from "./loops.ts";
import { and, or, type RangeOperand, spread, truth } from "./operand.ts";
import { compileId, givenCondition, indexOfType } from "./update-ids.ts";

export class EmitChecks {
  private readonly model: GraphModel;
  private readonly compiler: ExpressionCompiler;
  private readonly loops: LoopWriter;
  /** Whether the code uses the variable `items`. */
  countsItems = false;

  constructor(model: GraphModel, compiler: ExpressionCompiler, loops: LoopWriter) {
    this.model = model;
    this.compiler = compiler;
    this.loops = loops;
  }

  write(emits: readonly Emit[], place: string): void {
    emits.forEach((emit, i) => this.checkOne(emit, `${place}[${i}]`));
  }

  private checkOne(emit: Emit, place: string): void {
    const { compiler } = this;
    compiler.place = place;
    switch (emit.kind) {
      case "upsertNode":
      case "removeNode":
        this.checkIds([compileId(compiler, emit.id)]);
        return this.checkItems(emit, this.model.nodes, [emit.id], place);
      case "upsertEdge":
      case "removeEdge":
        this.checkIds([compileId(compiler, emit.from), compileId(compiler, emit.to)]);
        return this.checkItems(emit, this.model.edges, [emit.from, emit.to], place);
      case "when": {
        const { part } = compiler.apart(() => this.write(emit.emit, `${place}.emit`));
        if (part.empty) return;
        const chosen = truth(compiler.compile(emit.condition));
        return compiler.code.block(`if (${chosen})`, () => compiler.code.place(part));
      }
      case "each": {
        const { part } = compiler.apart(() => {
          this.loops.each(emit, place, () => {
            this.countItem();
            this.write(emit.emit, `${place}.emit`);
          });
        });
        if (!part.mentions(" return ")) return;
        if (part.mentions(` return ${tooManyItems};`) || !lengthIsBoundedByArray(emit))
          return compiler.code.place(part);
        const { has, start, end } = this.loops.array(emit.array);
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
    if (this.loops.depth === 0 || !("properties" in emit)) return;
    const { compiler } = this;
    const { properties } = types[indexOfType(types, emit.type, place)]!;
    const sets = new Set(properties.filter(({ merge }) => merge === "union").map(({ name }) => name));
    const { part } = compiler.apart(() => {
      for (const { property, value } of emit.properties) {
        if (!sets.has(property) || value.type.kind !== "array") continue;
        const array = this.loops.array(value);
        this.loops.loop(array, array.type.item, () => this.countItem());
      }
    });
    if (part.empty) return;
    const ids = idExpressions.map((id) => compileId(compiler, id));
    compiler.code.block(`if (${givenCondition(ids)})`, () => compiler.code.place(part));
  }

  /** Only within a loop that is itself within a loop. */
  private countItem(): void {
    if (this.loops.depth < 2) return;
    this.countsItems = true;
    this.compiler.code.line(`if (++items > ${nestedItemsMax}) return ${tooManyItems};`);
  }
}

/** Whether no id within can be longer than the array's bytes: every id is a text of an item, as it stands there. */
function lengthIsBoundedByArray(each: Emit & { readonly kind: "each" }): boolean {
  return each.emit.every((emit) => idsAreOfItems(emit, 0));
}

/** `depth`: how many `each` lie between the array and the emit. */
function idsAreOfItems(emit: Emit, depth: number): boolean {
  const isOfItem = (expression: Expression, kind: "string" | "array"): boolean =>
    expression.kind === "field" &&
    expression.scope.kind === "item" &&
    expression.scope.depth <= depth &&
    expression.type.kind === kind;
  switch (emit.kind) {
    case "upsertNode":
    case "removeNode":
      return isOfItem(emit.id, "string");
    case "upsertEdge":
    case "removeEdge":
      return isOfItem(emit.from, "string") && isOfItem(emit.to, "string");
    case "when":
      return emit.emit.every((inner) => idsAreOfItems(inner, depth));
    case "each":
      return isOfItem(emit.array, "array") && emit.emit.every((inner) => idsAreOfItems(inner, depth + 1));
  }
}
