// Makes an operand one of the type that its place asks for: widens integers, spells out enums, refuses everything else.
import type { ValueType } from "../../../model/definition.ts";
import { literalOperand } from "./literals.ts";
import {
  isScalar,
  nothing,
  type NumberOperand,
  type Operand,
  type RangeOperand,
  sameSymbols,
  typeName,
} from "./operand.ts";
import { badPlan, type LiteralPool, type Source } from "./source.ts";

/** What code is written into. */
export interface WriteContext {
  readonly code: Source;
  readonly literals: LiteralPool;
  /** Where in the plan the code comes from, for errors. */
  readonly place: string;
}

/** The operand as a value of `type`; refuses what does not fit. */
export function coerce(context: WriteContext, operand: Operand, type: ValueType): Operand {
  const from = operand.type;
  if (type.kind === "enum") return toEnum(context, operand, type);
  if (from.kind === type.kind && (isScalar(type) || JSON.stringify(from) === JSON.stringify(type))) return operand;
  if (from.kind === "int32" && (type.kind === "int64" || type.kind === "double")) return { ...operand, type };
  if (from.kind === "enum" && type.kind === "string" && operand.form === "number") {
    if (typeof operand.literal === "string")
      return literalOperand({ value: operand.literal, type }, context.literals, context.place);
    return symbolText(context, operand, from.symbols);
  }
  if (operand.has === "false") return nothing(type, operand.isNull === "true" ? "true" : "false");
  throw badPlan(context.place, `${typeName(from)} is not ${typeName(type)}.`);
}

function toEnum(context: WriteContext, operand: Operand, type: ValueType & { readonly kind: "enum" }): Operand {
  const from = operand.type;
  if (sameSymbols(from, type)) return operand;
  if (operand.has === "false") return nothing(type, operand.isNull === "true" ? "true" : "false");
  if (typeof operand.literal === "string" && (from.kind === "string" || from.kind === "enum")) {
    return literalOperand({ value: operand.literal, type }, context.literals, context.place);
  }
  if (
    from.kind !== "enum" ||
    operand.form !== "number" ||
    !from.symbols.every((symbol) => type.symbols.includes(symbol))
  ) {
    throw badPlan(context.place, `${typeName(from)} is not ${typeName(type)}.`);
  }
  const table = context.code.fresh("c");
  context.code.line(`const ${table} = [${from.symbols.map((symbol) => type.symbols.indexOf(symbol)).join(", ")}];`);
  const value = context.code.fresh("v");
  context.code.line(`const ${value} = ${operand.has} ? ${table}[${operand.value}] : 0;`);
  return { form: "number", type, has: operand.has, isNull: operand.isNull, value };
}

function symbolText(
  context: WriteContext,
  { value, has, isNull }: NumberOperand,
  symbols: readonly string[],
): RangeOperand {
  const start = context.code.fresh("f");
  const end = context.code.fresh("t");
  context.code.line(`let ${start} = 0, ${end} = 0;`);
  context.code.block(`if (${has})`, () => {
    context.code.block(`switch (${value})`, () => {
      symbols.forEach((symbol, i) => {
        const bounds = context.literals.add(Buffer.from(symbol, "utf8"));
        context.code.line(`case ${i}: ${start} = ${bounds.start}; ${end} = ${bounds.end}; break;`);
      });
    });
  });
  const bytesMax = Math.max(0, ...symbols.map((symbol) => Buffer.byteLength(symbol)));
  return { form: "range", type: { kind: "string" }, has, isNull, buffer: "literals", start, end, bytesMax };
}
