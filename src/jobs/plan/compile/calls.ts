// Compiles calls: presence, logic, comparison and choice here, numbers and text in their own files.
import type { Expression, FunctionName } from "../../../model/plan.ts";
import type { ArgumentCompilers } from "./argument-compiler.ts";
import type { Call, ExpressionCompiler } from "./expressions.ts";
import { numberCalls } from "./number-calls.ts";
import {
  and,
  condition,
  grouped,
  isInteger,
  isScalar,
  not,
  type Operand,
  or,
  sameSymbols,
  spread,
  truth,
  typeName,
} from "./operand.ts";
import { badPlan } from "./source.ts";
import { textCalls } from "./text-calls.ts";

const argumentCounts: Record<FunctionName, readonly [number, number]> = {
  isPresent: [1, 1], isAbsent: [1, 1], equals: [2, 2], in: [1, Infinity], gt: [2, 2], gte: [2, 2], lt: [2, 2], lte: [2, 2],
  and: [0, Infinity], or: [0, Infinity], not: [1, 1], add: [2, 2], subtract: [2, 2], multiply: [2, 2], div: [2, 2], rem: [2, 2],
  divide: [2, 2], floor: [1, 1], ceil: [1, 1], toInt64: [1, 1], toDouble: [1, 1], toText: [1, 1], concat: [0, Infinity],
  lower: [1, 1], upper: [1, 1], length: [1, 1], substring: [2, 3], startsWith: [2, 2], endsWith: [2, 2], contains: [2, 2],
  split: [2, 2], hash: [1, 1], truncate: [2, 2], plus: [2, 2], toMillis: [1, 1], fromMillis: [1, 1], orElse: [2, 2],
  choose: [2, 3], mapEnum: [1, Infinity],
}; // prettier-ignore

const byArguments: ArgumentCompilers = {
  isPresent: (_, [x]) => condition(or(x!.has, x!.isNull)),
  isAbsent: (_, [x]) => condition(not(or(x!.has, x!.isNull))),
  not: (_, [x]) => condition(not(truth(x!))),
  equals: (compiler, [x, y]) => condition(compiler.named(and(x!.has, y!.has, equal(compiler, x!, y!)))),
  in: (compiler, [x, ...others]) => {
    const matches = others.map((other) => and(other.has, equal(compiler, x!, other)));
    return condition(compiler.named(and(x!.has, or(...matches))));
  },
  gt: (compiler, [x, y]) => compare(compiler, x!, y!, ">"),
  gte: (compiler, [x, y]) => compare(compiler, x!, y!, ">="),
  lt: (compiler, [x, y]) => compare(compiler, x!, y!, "<"),
  lte: (compiler, [x, y]) => compare(compiler, x!, y!, "<="),
  ...numberCalls,
  ...textCalls,
};

export function compileCall(compiler: ExpressionCompiler, call: Call): Operand {
  const [least, most] = argumentCounts[call.function] ?? [Infinity, 0];
  if (call.args.length < least || call.args.length > most) {
    throw badPlan(compiler.place, `${call.function} is no function of ${call.args.length} arguments.`);
  }
  switch (call.function) {
    case "and":
      return junction(compiler, call.args, and, (value) => value);
    case "or":
      return junction(compiler, call.args, or, not);
    case "orElse":
      return orElse(compiler, call);
    case "choose":
      return choose(compiler, call);
    case "mapEnum":
      return mapEnum(compiler, call);
    default:
      return byArguments[call.function]!(
        compiler,
        call.args.map((arg) => compiler.compile(arg)),
        call,
      );
  }
}

/** Both are there. Throws where the types have no common values. */
function equal(compiler: ExpressionCompiler, x: Operand, y: Operand): string {
  if (x.type.kind === "enum" && y.type.kind === "string" && typeof y.literal === "string") {
    return x.type.symbols.includes(y.literal) ? equal(compiler, x, compiler.coerce(y, x.type)) : "false";
  }
  if (y.type.kind === "enum" && x.type.kind === "string" && typeof x.literal === "string") return equal(compiler, y, x);
  if (x.type.kind === "enum" && y.type.kind === "enum" && sameSymbols(x.type, y.type)) return same(x, y);
  if (x.type.kind === "enum") return equal(compiler, compiler.coerce(x, { kind: "string" }), y);
  if (y.type.kind === "enum") return equal(compiler, x, compiler.coerce(y, { kind: "string" }));
  const comparable = x.type.kind === y.type.kind ? isScalar(x.type) : isInteger(x.type) && isInteger(y.type);
  if (!comparable) throw badPlan(compiler.place, `${typeName(x.type)} cannot equal ${typeName(y.type)}.`);
  return same(x, y);
}

function same(x: Operand, y: Operand): string {
  if (x.form === "range") return y.form === "range" ? `equalBytes(${spread(x)}, ${spread(y)})` : "false";
  return y.form === "range" ? "false" : `${grouped(x.value)} === ${grouped(y.value)}`;
}

function compare(compiler: ExpressionCompiler, x: Operand, y: Operand, operator: string): Operand {
  const ordered = (): string => {
    if (x.type.kind === "enum" && !sameSymbols(x.type, y.type))
      return ordering(x, compiler.coerce(y, x.type), operator);
    if (y.type.kind === "enum" && x.type.kind === "string") return ordering(compiler.coerce(x, y.type), y, operator);
    const comparable = x.type.kind === y.type.kind ? isScalar(x.type) : isInteger(x.type) && isInteger(y.type);
    if (!comparable) throw badPlan(compiler.place, `${typeName(x.type)} cannot be compared with ${typeName(y.type)}.`);
    return ordering(x, y, operator);
  };
  return condition(compiler.named(and(x.has, y.has, ordered())));
}

function ordering(x: Operand, y: Operand, operator: string): string {
  if (x.form === "range")
    return y.form === "range" ? `compareBytes(${spread(x)}, ${spread(y)}) ${operator} 0` : "false";
  return y.form === "range" ? "false" : `${grouped(x.value)} ${operator} ${grouped(y.value)}`;
}

/** `and` and `or`: what needs statements is computed only while the outcome is open. */
function junction(
  compiler: ExpressionCompiler,
  args: readonly Expression[],
  join: (...conditions: readonly string[]) => string,
  open: (value: string) => string,
): Operand {
  let value = join();
  for (const arg of args) {
    const outer = compiler.code;
    const { part, result } = compiler.apart(() => truth(compiler.compile(arg)));
    if (part.empty) {
      value = join(value, result);
      continue;
    }
    const name = outer.fresh("c");
    outer.line(`let ${name} = ${value};`);
    outer.block(`if (${open(name)})`, () => {
      outer.place(part);
      outer.line(`${name} = ${result};`);
    });
    value = name;
  }
  return condition(compiler.named(value));
}

function orElse(compiler: ExpressionCompiler, call: Call): Operand {
  const first = compiler.compile(call.args[0]!);
  if (first.has === "true") return compiler.coerce(first, call.type);
  const result = compiler.variable(call.type);
  if (first.has !== "false") result.assignValue(first);
  compiler.block(`if (${result.unset})`, () => result.assign(compiler.compile(call.args[1]!)));
  return result.result();
}

function choose(compiler: ExpressionCompiler, call: Call): Operand {
  const chosen = truth(compiler.compile(call.args[0]!));
  const result = compiler.variable(call.type);
  compiler.block(`if (${chosen})`, () => result.assign(compiler.compile(call.args[1]!)));
  const other = call.args[2];
  if (other !== undefined) compiler.otherwise(() => result.assign(compiler.compile(other)));
  return result.result();
}

function mapEnum(compiler: ExpressionCompiler, call: Call): Operand {
  if (call.args.length % 2 !== 1) throw badPlan(compiler.place, "mapEnum takes pairs of literals.");
  const x = compiler.compile(call.args[0]!);
  const result = compiler.variable(call.type);
  const done = compiler.code.fresh("done");
  compiler.block(`${done}: if (${x.has})`, () => {
    for (let i = 1; i < call.args.length; i += 2) {
      const from = compiler.compile(call.args[i]!);
      compiler.block(`if (${and(from.has, equal(compiler, x, from))})`, () => {
        result.assign(compiler.compile(call.args[i + 1]!));
        compiler.code.line(`break ${done};`);
      });
    }
  });
  return result.result();
}
