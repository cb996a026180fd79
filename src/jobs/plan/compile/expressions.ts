// Compiles expressions to JavaScript statements over byte ranges and numbers; each expression is computed once where its first use dominates the others.
import type { ValueType } from "../../../model/definition.ts";
import type { Expression } from "../../../model/plan.ts";
import { type Layout, pathKey } from "./layout.ts";
import { literalOperand } from "./literals.ts";
import { formOf, isScalar, type Operand, type RangeOperand, sameSymbols } from "./operand.ts";
import { badPlan, type LiteralPool, type Source } from "./source.ts";

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
        return this.nothing(expression.type, "true");
      case "call":
        return this.calls(this, expression);
    }
  }

  /** Null or, with `isNull` "false", absent. */
  nothing(type: ValueType, isNull: "true" | "false"): Operand {
    const presence = { type, has: "false", isNull };
    const form = formOf(type);
    if (form === "range") return { form, ...presence, buffer: "b", start: "0", end: "0" };
    return form === "number" ? { form, ...presence, value: "0" } : { form, ...presence, value: "false" };
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

  /** The operand as a value of `type`; refuses what does not fit. */
  coerce(operand: Operand, type: ValueType): Operand {
    const from = operand.type;
    if (type.kind === "enum") return this.toEnum(operand, type);
    if (from.kind === type.kind && (isScalar(type) || JSON.stringify(from) === JSON.stringify(type))) return operand;
    if (from.kind === "int32" && (type.kind === "int64" || type.kind === "double")) return { ...operand, type };
    if (from.kind === "enum" && type.kind === "string" && operand.form === "number") {
      if (typeof operand.literal === "string")
        return literalOperand({ value: operand.literal, type }, this.literals, this.place);
      return this.symbolText(operand.value, operand.has, operand.isNull, from.symbols);
    }
    if (operand.has === "false") return this.nothing(type, operand.isNull === "true" ? "true" : "false");
    throw badPlan(this.place, `${typeName(from)} is not ${typeName(type)}.`);
  }

  private toEnum(operand: Operand, type: ValueType & { readonly kind: "enum" }): Operand {
    const from = operand.type;
    if (sameSymbols(from, type)) return operand;
    if (operand.has === "false") return this.nothing(type, operand.isNull === "true" ? "true" : "false");
    if (typeof operand.literal === "string" && (from.kind === "string" || from.kind === "enum")) {
      return literalOperand({ value: operand.literal, type }, this.literals, this.place);
    }
    if (
      from.kind !== "enum" ||
      operand.form !== "number" ||
      !from.symbols.every((symbol) => type.symbols.includes(symbol))
    ) {
      throw badPlan(this.place, `${typeName(from)} is not ${typeName(type)}.`);
    }
    const table = this.code.fresh("c");
    this.code.line(`const ${table} = [${from.symbols.map((symbol) => type.symbols.indexOf(symbol)).join(", ")}];`);
    const value = this.code.fresh("v");
    this.code.line(`const ${value} = ${operand.has} ? ${table}[${operand.value}] : 0;`);
    return { form: "number", type, has: operand.has, isNull: operand.isNull, value };
  }

  private symbolText(index: string, has: string, isNull: string, symbols: readonly string[]): RangeOperand {
    const start = this.code.fresh("f");
    const end = this.code.fresh("t");
    this.code.line(`let ${start} = 0, ${end} = 0;`);
    this.code.block(`if (${has})`, () => {
      this.code.block(`switch (${index})`, () => {
        symbols.forEach((symbol, i) => {
          const bounds = this.literals.add(Buffer.from(symbol, "utf8"));
          this.code.line(`case ${i}: ${start} = ${bounds.start}; ${end} = ${bounds.end}; break;`);
        });
      });
    });
    const bytesMax = Math.max(0, ...symbols.map((symbol) => Buffer.byteLength(symbol)));
    return { form: "range", type: { kind: "string" }, has, isNull, buffer: "literals", start, end, bytesMax };
  }

  /** Variables that branches assign: for `choose`, `orElse`, `mapEnum`. */
  variable(type: ValueType): Variable {
    return new Variable(this, type);
  }
}

/** A result that is decided at run time: 0 absent, 1 null, 2 value. */
export class Variable {
  private readonly compiler: ExpressionCompiler;
  private readonly type: ValueType;
  private readonly state: string;
  private readonly names: readonly string[];
  private nullable = false;
  private bytesMax = 0;

  constructor(compiler: ExpressionCompiler, type: ValueType) {
    this.compiler = compiler;
    this.type = type;
    const { code } = compiler;
    this.state = code.fresh("s");
    const form = formOf(type);
    this.names = form === "range" ? [code.fresh("b"), code.fresh("f"), code.fresh("t")] : [code.fresh("v")];
    const initial = form === "range" ? ["b", "0", "0"] : [form === "number" ? "0" : "false"];
    code.line(`let ${this.state} = 0, ${this.names.map((name, i) => `${name} = ${initial[i]}`).join(", ")};`);
  }

  assign(operand: Operand): void {
    const value = this.compiler.coerce(operand, this.type);
    const { code } = this.compiler;
    if (value.isNull !== "false") this.nullable = true;
    if (value.has === "false") {
      if (value.isNull !== "false") code.line(`${this.state} = ${value.isNull} ? 1 : 0;`);
      return;
    }
    const sources = value.form === "range" ? [value.buffer, value.start, value.end] : [value.value];
    if (value.form === "range") this.bytesMax = Math.max(this.bytesMax, value.bytesMax ?? Number.POSITIVE_INFINITY);
    const none = value.isNull === "false" ? "0" : `${value.isNull} ? 1 : 0`;
    code.line(`${this.state} = ${value.has === "true" ? "2" : `${value.has} ? 2 : ${none}`};`);
    code.line(this.names.map((name, i) => `${name} = ${sources[i]};`).join(" "));
  }

  /** Only the value: its absence and null leave the variable unset. */
  assignValue(operand: Operand): void {
    this.assign({ ...operand, isNull: "false" });
  }

  get unset(): string {
    return `${this.state} !== 2`;
  }

  result(): Operand {
    const [first, start, end] = this.names as readonly [string, string, string];
    const presence = {
      type: this.type,
      has: `${this.state} === 2`,
      isNull: this.nullable ? `${this.state} === 1` : "false",
    };
    const form = formOf(this.type);
    if (form !== "range") return { form, ...presence, value: first };
    const bound = Number.isFinite(this.bytesMax) ? { bytesMax: this.bytesMax } : {};
    return { form, ...presence, buffer: first, start, end, ...bound };
  }
}

export function typeName(type: ValueType): string {
  return type.kind === "enum" ? `enum(${type.symbols.join(", ")})` : type.kind;
}
