// Compiles expressions to JavaScript statements over byte ranges and numbers; each expression is computed once where its first use dominates the others.
import type { ValueType } from "../../../model/definition.ts";
import type { Expression } from "../../../model/plan.ts";
import { coerce } from "./coerce.ts";
import { type Layout, pathKey } from "./layout.ts";
import { literalOperand } from "./literals.ts";
import { nothing, type Operand } from "./operand.ts";
import { badPlan, type LiteralPool, type Source } from "./source.ts";
import { Variable } from "./variable.ts";

/** Variables that hold a walked record: its bytes and the Int32Array that its layout describes. */
export interface Place {
  readonly layout: Layout;
  readonly bytes: string;
  readonly offsets: string;
  /** False for a side row, whose fields are all absent when there is no row. */
  readonly whole: boolean;
}

export type Call = Expression & { readonly kind: "call" };
/** How calls are compiled (calls.ts), handed in because it compiles their arguments by this class. */
export type CallCompiler = (compiler: ExpressionCompiler, call: Call) => Operand;

interface Scope {
  /** By the number of the expression. */
  readonly operands: Map<number, Operand>;
  readonly names: Map<string, string>;
}

function newScope(): Scope {
  return { operands: new Map(), names: new Map() };
}

export class ExpressionCompiler {
  readonly literals: LiteralPool;
  code: Source;
  /** Where an expression is, for errors. */
  place = "";
  private readonly calls: CallCompiler;
  private readonly event: Place;
  private readonly sides = new Map<string, Place>();
  /** Enclosing `each`, innermost last. */
  private readonly items: { readonly id: number; readonly place: Place }[] = [];
  private nextItem = 0;
  private readonly numbers = new Map<string, number>();
  /** Innermost block last: what is computed in a block is known in the blocks within it. */
  private readonly scopes: Scope[] = [newScope()];

  constructor(event: Place, literals: LiteralPool, code: Source, calls: CallCompiler) {
    this.calls = calls;
    this.event = event;
    this.literals = literals;
    this.code = code;
  }

  addSide(alias: string, place: Place): void {
    if (this.sides.has(alias)) throw badPlan(this.place, `Two steps enrich under the name "${alias}".`);
    this.sides.set(alias, place);
  }

  /** Writes a block of code: what it computes is forgotten behind it. */
  block(head: string, body: () => void): void {
    this.scopes.push(newScope());
    this.code.block(head, body);
    this.scopes.pop();
  }

  otherwise(body: () => void): void {
    this.scopes.push(newScope());
    this.code.otherwise(body);
    this.scopes.pop();
  }

  withItem(place: Place, body: () => void): void {
    this.items.push({ id: this.nextItem++, place });
    body();
    this.items.pop();
  }

  /** Compiles into a part of its own, for code that is only placed when it is not empty. */
  apart<T>(body: () => T): { readonly part: Source; readonly result: T } {
    this.scopes.push(newScope());
    const apart = this.around(body);
    this.scopes.pop();
    return apart;
  }

  /** The same for code that is placed in any case: what it computes stays known. */
  around<T>(body: () => T): { readonly part: Source; readonly result: T } {
    const outer = this.code;
    this.code = outer.part();
    const result = body();
    const part = this.code;
    this.code = outer;
    return { part, result };
  }

  compile(expression: Expression): Operand {
    const key = this.numberOf(expression);
    for (const scope of this.scopes) {
      const known = scope.operands.get(key);
      if (known !== undefined) return known;
    }
    const operand = this.compileNew(expression);
    this.scopes.at(-1)!.operands.set(key, operand);
    return operand;
  }

  /** The variable that holds what `key` names, declared here unless an enclosing block has it already. */
  shared(key: string, declare: () => string): { readonly name: string; readonly isNew: boolean } {
    const known = this.scopes.find((scope) => scope.names.has(key))?.names.get(key);
    if (known !== undefined) return { name: known, isNew: false };
    const name = declare();
    this.scopes.at(-1)!.names.set(key, name);
    return { name, isNew: true };
  }

  isShared(key: string): boolean {
    return this.scopes.some((scope) => scope.names.has(key));
  }

  private compileNew(expression: Expression): Operand {
    switch (expression.kind) {
      case "field":
        return this.field(expression);
      case "literal":
        return literalOperand(expression, this.literals, this.place);
      case "null":
        return nothing(expression.type, "true");
      case "call":
        return this.calls(this, expression);
    }
  }

  /** The same number for the same expression; an item goes by its `each`, since the same depth means other items in other places. */
  private numberOf(expression: Expression): number {
    const key = this.keyOf(expression);
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    this.numbers.set(key, this.numbers.size);
    return this.numbers.size - 1;
  }

  private keyOf(expression: Expression): string {
    if (expression.kind === "call") {
      const args = expression.args.map((arg) => this.numberOf(arg));
      return `${expression.function}(${args.join()}) ${JSON.stringify(expression.type)}`;
    }
    if (expression.kind !== "field" || expression.scope.kind !== "item") return JSON.stringify(expression);
    const each = this.items.at(-1 - expression.scope.depth)?.id;
    return JSON.stringify({ each, path: expression.path });
  }

  private field(expression: Expression & { readonly kind: "field" }): Operand {
    const { place, name } = this.placeOf(expression);
    const slot = place.layout.slots.get(pathKey(expression.path));
    if (slot === undefined) throw badPlan(this.place, `There is no field ${[name, ...expression.path].join(".")}.`);
    const { type } = slot;
    const read = (offset: number): string => `${place.offsets}[${slot.index + offset}]`;
    const certain = place.whole && !slot.optional;
    const name0 = this.code.fresh("f");
    this.code.comment([name, ...expression.path].join("."));
    if (slot.form === "range") {
      const end = this.code.fresh("t");
      this.code.line(`const ${name0} = ${read(0)}, ${end} = ${read(1)};`);
      const has = certain ? "true" : `${name0} >= 0`;
      return { form: "range", type, has, isNull: "false", buffer: place.bytes, start: name0, end };
    }
    this.code.line(`const ${name0} = ${read(0)};`);
    const has = certain ? "true" : `${name0} >= 0`;
    if (slot.form === "code") {
      if (type.kind === "boolean") return { form: "boolean", type, has, isNull: "false", value: `${name0} === 1` };
      return { form: "number", type, has, isNull: "false", value: name0 };
    }
    const value = this.code.fresh("v");
    const reader = type.kind === "int64" ? "int64At" : type.kind === "double" ? "doubleAt" : "numberAt";
    const decoded = `${reader}(${place.bytes}, ${name0})`;
    this.code.line(`const ${value} = ${certain ? decoded : `${name0} < 0 ? 0 : ${decoded}`};`);
    return { form: "number", type, has, isNull: "false", value };
  }

  private placeOf(field: Expression & { readonly kind: "field" }): { readonly place: Place; readonly name: string } {
    const { scope } = field;
    if (scope.kind === "event") return { place: this.event, name: "event" };
    const place = scope.kind === "side" ? this.sides.get(scope.alias) : this.items.at(-1 - scope.depth)?.place;
    const name = scope.kind === "side" ? scope.alias : "item";
    if (place === undefined) {
      throw badPlan(
        this.place,
        scope.kind === "side" ? `Nothing is enriched under the name "${name}".` : "There is no enclosing `each`.",
      );
    }
    return { place, name };
  }

  /** A named condition, unless it is one word already. */
  named(value: string): string {
    if (/^\w+$/u.test(value)) return value;
    const name = this.code.fresh("c");
    this.code.line(`const ${name} = ${value};`);
    return name;
  }

  coerce(operand: Operand, type: ValueType): Operand {
    return coerce(this, operand, type);
  }

  variable(type: ValueType): Variable {
    return new Variable(this, type);
  }
}
