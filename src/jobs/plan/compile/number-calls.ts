import { timestampMaxMs } from "../../../model/avro/json-values.ts";
// Compiles calls on numbers and times.
import type { ValueType } from "../../../model/definition.ts";
import type { ArgumentCompiler, ArgumentCompilers } from "./argument-compiler.ts";
import type { ExpressionCompiler } from "./expressions.ts";
import { and, isInteger, type NumberOperand, type Operand, typeName } from "./operand.ts";
import { badPlan } from "./source.ts";

const int64: ValueType = { kind: "int64" };
const double: ValueType = { kind: "double" };
const timestamp: ValueType = { kind: "timestamp" };

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Unit and the moment it is counted from: weeks from Monday, 5 January 1970. */
const units: Readonly<Record<string, readonly [number, number]>> = {
  second: [1000, 0],
  minute: [60_000, 0],
  hour: [hourMs, 0],
  day: [dayMs, 0],
  week: [7 * dayMs, 4 * dayMs],
};

/** A number of one of the kinds; refuses everything else. */
function numeric(
  compiler: ExpressionCompiler,
  operand: Operand,
  ...kinds: readonly ValueType["kind"][]
): NumberOperand {
  if (operand.form !== "number" || !kinds.includes(operand.type.kind)) {
    throw badPlan(compiler.place, `${typeName(operand.type)} is not ${kinds.join(" or ")}.`);
  }
  return operand;
}

function computed(compiler: ExpressionCompiler, type: ValueType, has: string, value: string): NumberOperand {
  const name = compiler.code.fresh("v");
  compiler.code.line(`const ${name} = ${has === "true" ? value : `${has} ? ${value} : 0`};`);
  return { form: "number", type, has, isNull: "false", value: name };
}

/** The result is there when `check` of it holds. */
function checked(compiler: ExpressionCompiler, result: NumberOperand, check: (value: string) => string): NumberOperand {
  return { ...result, has: compiler.named(and(result.has, check(result.value))) };
}

const isFiniteNumber = (value: string): string => `Number.isFinite(${value})`;
const isTimestamp = (value: string): string => `Math.abs(${value}) <= ${timestampMaxMs}`;

function arithmetic(integer: string, operator: string): ArgumentCompiler {
  return (compiler, [x, y]) => {
    const left = numeric(compiler, x!, "int32", "int64", "double");
    const right = numeric(compiler, y!, "int32", "int64", "double");
    const has = compiler.named(and(left.has, right.has));
    if (isInteger(left.type) && isInteger(right.type)) {
      return computed(compiler, int64, has, `${integer}(${left.value}, ${right.value})`);
    }
    const [a, b] = [toDouble(compiler, left), toDouble(compiler, right)];
    return checked(compiler, computed(compiler, double, has, `(${a} ${operator} ${b}) + 0`), isFiniteNumber);
  };
}

function toDouble(compiler: ExpressionCompiler, operand: Operand): string {
  const { type, value } = numeric(compiler, operand, "int32", "int64", "double");
  return type.kind === "int64" ? `Number(${value})` : value;
}

function division(integer: string): ArgumentCompiler {
  return (compiler, [x, y]) => {
    const left = numeric(compiler, x!, "int32", "int64");
    const right = numeric(compiler, y!, "int32", "int64");
    const has = compiler.named(and(left.has, right.has, `${right.value} !== 0`));
    return computed(compiler, int64, has, `${integer}(${left.value}, ${right.value})`);
  };
}

function rounding(name: "floor" | "ceil"): ArgumentCompiler {
  return (compiler, [x]) => {
    const { has, value } = numeric(compiler, x!, "double");
    return computed(compiler, double, has, `Math.${name}(${value}) + 0`);
  };
}

export const numberCalls: ArgumentCompilers = {
  add: arithmetic("addInt64", "+"),
  subtract: arithmetic("subtractInt64", "-"),
  multiply: arithmetic("multiplyInt64", "*"),
  div: division("divideInt64"),
  rem: division("remainderInt64"),
  divide: (compiler, [x, y]) => {
    const [a, b] = [toDouble(compiler, x!), toDouble(compiler, y!)];
    const has = compiler.named(and(x!.has, y!.has, `${b} !== 0`));
    return checked(compiler, computed(compiler, double, has, `(${a} / ${b}) + 0`), isFiniteNumber);
  },
  floor: rounding("floor"),
  ceil: rounding("ceil"),
  toInt64: (compiler, [x]) => {
    const { has, value } = numeric(compiler, x!, "double");
    const fits = compiler.named(and(has, `${value} >= -9223372036854775808`, `${value} < 9223372036854775808`));
    return computed(compiler, int64, fits, `toInt64(${value})`);
  },
  toDouble: (compiler, [x]) => {
    const { has } = numeric(compiler, x!, "int32", "int64", "double");
    return computed(compiler, double, has, toDouble(compiler, x!));
  },
  truncate: (compiler, [x, unit]) => {
    const { has, value } = numeric(compiler, x!, "timestamp");
    const [unitMs, originMs] = (typeof unit!.literal === "string" ? units[unit!.literal] : undefined) ?? [0, 0];
    if (unitMs === 0) throw badPlan(compiler.place, `Times are truncated to ${Object.keys(units).join(", ")}.`);
    const floored = computed(compiler, timestamp, has, `floorTime(${value}, ${unitMs}, ${originMs})`);
    return checked(compiler, floored, isTimestamp);
  },
  plus: (compiler, [x, y]) => {
    const time = numeric(compiler, x!, "timestamp");
    const milliseconds = numeric(compiler, y!, "int32", "int64");
    const has = compiler.named(and(time.has, milliseconds.has));
    const sum = computed(compiler, timestamp, has, `${time.value} + Number(${milliseconds.value})`);
    return checked(compiler, sum, isTimestamp);
  },
  toMillis: (compiler, [x]) => ({ ...numeric(compiler, x!, "timestamp"), type: int64, isNull: "false" }),
  fromMillis: (compiler, [x]) => {
    const { has, value } = numeric(compiler, x!, "int32", "int64");
    return checked(compiler, computed(compiler, timestamp, has, `Number(${value})`), isTimestamp);
  },
};
