// Ids of updates and indexes of types, as both passes over a job's emits need them.
import { keyBytesMax } from "../../../model/avro/json-values.ts";
import type { Expression } from "../../../model/plan.ts";
import type { ExpressionCompiler } from "./expressions.ts";
import { and, type RangeOperand, typeName } from "./operand.ts";
import { badPlan } from "./source.ts";

export function compileId(compiler: ExpressionCompiler, expression: Expression): RangeOperand {
  const operand = compiler.coerce(compiler.compile(expression), { kind: "string" });
  if (operand.form !== "range") throw badPlan(compiler.place, `An id is a string, not ${typeName(operand.type)}.`);
  if (typeof operand.literal === "string" && (operand.bytesMax ?? 0) > keyBytesMax) {
    throw badPlan(compiler.place, `An id is longer than ${keyBytesMax} bytes.`);
  }
  return operand;
}

/** All ids are there and not empty. */
export function givenCondition(ids: readonly RangeOperand[]): string {
  return and(...ids.map((id) => and(id.has, id.has === "false" ? "false" : `${id.end} > ${id.start}`)));
}

export function indexOfType(types: readonly { readonly name: string }[], name: string, place: string): number {
  const index = types.findIndex((type) => type.name === name);
  if (index < 0) throw badPlan(place, `There is no type ${name}.`);
  return index;
}
