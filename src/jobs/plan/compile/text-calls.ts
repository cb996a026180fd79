// Compiles calls on text: on UTF-8 bytes throughout, so that cutting and comparing copies nothing and building writes to the scratch buffer.
import type { ValueType } from "../../../model/definition.ts";
import type { ArgumentCompiler, ArgumentCompilers } from "./argument-compiler.ts";
import type { ExpressionCompiler } from "./expressions.ts";
import {
  and,
  condition,
  isInteger,
  type NumberOperand,
  type Operand,
  type RangeOperand,
  spread,
  typeName,
} from "./operand.ts";
import { badPlan } from "./source.ts";

const string: ValueType = { kind: "string" };

function text(compiler: ExpressionCompiler, operand: Operand): RangeOperand {
  const range = operand.type.kind === "enum" ? compiler.coerce(operand, string) : operand;
  if (range.form !== "range" || range.type.kind !== "string") {
    throw badPlan(compiler.place, `${typeName(operand.type)} is not string.`);
  }
  return range;
}

function integer(compiler: ExpressionCompiler, operand: Operand): NumberOperand {
  if (operand.form !== "number" || !isInteger(operand.type))
    throw badPlan(compiler.place, `${typeName(operand.type)} is not int64.`);
  return operand;
}

/** Runs `write`, which appends to the scratch buffer, where `has` holds; the result is what it appended. */
function built(
  compiler: ExpressionCompiler,
  type: ValueType,
  has: string,
  bytesMax: number | undefined,
  write: () => void,
): RangeOperand {
  const { code } = compiler;
  const start = code.fresh("f");
  const end = code.fresh("t");
  code.line(`let ${start} = 0, ${end} = 0;`);
  code.block(`if (${has})`, () => {
    code.line(`${start} = scratch.length;`);
    write();
    code.line(`${end} = scratch.length;`);
  });
  const bound = bytesMax === undefined ? {} : { bytesMax };
  return { form: "range", type, has, isNull: "false", buffer: "scratch.bytes", start, end, ...bound };
}

function mapped(method: "lower" | "upper"): ArgumentCompiler {
  return (compiler, [x]) => {
    const range = text(compiler, x!);
    return built(compiler, string, range.has, undefined, () =>
      compiler.code.line(`scratch.${method}(${spread(range)});`),
    );
  };
}

function tested(call: (x: string, y: string) => string): ArgumentCompiler {
  return (compiler, args) => {
    const [x, y] = args.map((arg) => text(compiler, arg)) as [RangeOperand, RangeOperand];
    return condition(compiler.named(and(x.has, y.has, call(spread(x), spread(y)))));
  };
}

export const textCalls: ArgumentCompilers = {
  concat: (compiler, args) => {
    const parts = args.map((arg) => text(compiler, arg));
    const has = compiler.named(and(...parts.map((part) => part.has)));
    const sum = parts.reduce((bytes, part) => bytes + (part.bytesMax ?? Number.NaN), 0);
    return built(compiler, string, has, Number.isNaN(sum) ? undefined : sum, () => {
      for (const part of parts) compiler.code.line(`scratch.append(${spread(part)});`);
    });
  },
  lower: mapped("lower"),
  upper: mapped("upper"),
  hash: (compiler, [x]) => {
    const range = text(compiler, x!);
    return built(compiler, string, range.has, 64, () => compiler.code.line(`scratch.hash(${spread(range)});`));
  },
  toText: (compiler, [x]) => {
    const number = integer(compiler, x!);
    return built(compiler, string, number.has, 20, () => compiler.code.line(`scratch.decimal(${number.value});`));
  },
  length: (compiler, [x]) => {
    const range = text(compiler, x!);
    const value = compiler.code.fresh("v");
    compiler.code.line(`const ${value} = ${range.has} ? textLength(${spread(range)}) : 0;`);
    return { form: "number", type: { kind: "int64" }, has: range.has, isNull: "false", value };
  },
  substring: (compiler, [x, start, length]) => {
    const range = text(compiler, x!);
    const from = integer(compiler, start!);
    const points = length === undefined ? undefined : integer(compiler, length);
    const has = compiler.named(and(range.has, from.has, points?.has ?? "true"));
    const first = compiler.code.fresh("f");
    const end = compiler.code.fresh("t");
    compiler.code.line(`const ${first} = ${has} ? skipPoints(${spread(range)}, ${from.value}) : 0;`);
    if (points === undefined) compiler.code.line(`const ${end} = ${range.end};`);
    else
      compiler.code.line(
        `const ${end} = ${has} ? skipPoints(${range.buffer}, ${first}, ${range.end}, ${points.value}) : 0;`,
      );
    const bound = range.bytesMax === undefined ? {} : { bytesMax: range.bytesMax };
    return { form: "range", type: string, has, isNull: "false", buffer: range.buffer, start: first, end, ...bound };
  },
  startsWith: tested((x, y) => `startsWith(${x}, ${y})`),
  endsWith: tested((x, y) => `endsWith(${x}, ${y})`),
  contains: tested((x, y) => `indexOf(${x}, ${y}) >= 0`),
  split: (compiler, [x, separator]) => {
    const range = text(compiler, x!);
    if (separator!.form !== "range" || typeof separator!.literal !== "string" || separator!.literal === "") {
      throw badPlan(compiler.place, "split takes a literal separator that is not empty.");
    }
    const between = spread(separator!);
    return built(compiler, { kind: "array", item: string }, range.has, undefined, () => {
      compiler.code.line(`scratch.split(${spread(range)}, ${between});`);
    });
  },
};
