import { timestampMaxMs } from "../../../model/avro/json-values.ts";
// Literals of a plan (JSON) as constants of generated code.
import type { ScalarType } from "../../../model/definition.ts";
import { always, type Operand } from "./operand.ts";
import { badPlan, type LiteralPool } from "./source.ts";

export function literalOperand(
  literal: { readonly value: string | number | boolean; readonly type: ScalarType },
  pool: LiteralPool,
  place: string,
): Operand {
  const { type, value } = literal;
  const refuse = (): never => {
    throw badPlan(place, `${JSON.stringify(value)} is no literal of type ${type.kind}.`);
  };
  const number = (code: string): Operand => ({ form: "number", type, ...always, value: code, literal: value });
  const range = (bytes: Uint8Array): Operand => {
    const { start, end } = pool.add(bytes);
    const bounds = { buffer: "literals", start: `${start}`, end: `${end}`, bytesMax: end - start };
    return { form: "range", type, ...always, ...bounds, literal: value };
  };
  switch (type.kind) {
    case "string":
      if (typeof value !== "string" || !value.isWellFormed()) return refuse();
      return range(Buffer.from(value, "utf8"));
    case "bytes":
      if (typeof value !== "string") return refuse();
      return range(Buffer.from(value, "base64"));
    case "int32":
      if (typeof value !== "number" || (value | 0) !== value) return refuse();
      return number(String(value + 0));
    case "int64":
      return number(int64Code(value) ?? refuse());
    case "double":
      if (typeof value !== "number" || !Number.isFinite(value)) return refuse();
      return number(String(value + 0));
    case "timestamp":
      if (!Number.isInteger(value) || Math.abs(value as number) > timestampMaxMs) return refuse();
      return number(String((value as number) + 0));
    case "boolean":
      if (typeof value !== "boolean") return refuse();
      return { form: "boolean", type, ...always, value: String(value), literal: value };
    case "enum": {
      const index = typeof value === "string" ? type.symbols.indexOf(value) : -1;
      return index < 0 ? refuse() : number(String(index));
    }
  }
}

function int64Code(value: string | number | boolean): string | undefined {
  if (typeof value === "boolean" || !/^-?\d{1,19}$/u.test(String(value))) return undefined;
  const exact = BigInt(value);
  if (BigInt.asIntN(64, exact) !== exact) return undefined;
  return Number.isSafeInteger(Number(exact)) ? `${exact}` : `${exact}n`;
}
