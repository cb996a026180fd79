// What every function of the plan language means, on JavaScript values: obviously right rather than fast. Every engine is tested against it.
//
// Values: undefined is absent, null an explicit null; int64 a number while safe, else a bigint; timestamps ms; enums their symbol; bytes Uint8Array.
import type { ValueType } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";
import type { FunctionName } from "../../model/plan.ts";
import * as numbers from "./functions/arithmetic.ts";
import { compareValues, equalValues } from "./functions/comparison.ts";
import * as text from "./functions/text.ts";

type Meaning = (args: readonly PropertyValue[], types: readonly ValueType[]) => PropertyValue;

/** These see absent and null arguments; of all others any such argument makes the result absent. */
const ofPresence: Partial<Record<FunctionName, Meaning>> = {
  isPresent: ([x]) => x !== undefined,
  isAbsent: ([x]) => x === undefined,
  equals: ([x, y]) => equalValues(x, y),
  in: ([x, ...others]) => others.some((other) => equalValues(x, other)),
  gt: (args, types) => compareValues(args, types, (sign) => sign > 0),
  gte: (args, types) => compareValues(args, types, (sign) => sign >= 0),
  lt: (args, types) => compareValues(args, types, (sign) => sign < 0),
  lte: (args, types) => compareValues(args, types, (sign) => sign <= 0),
  and: (args) => args.every((arg) => arg === true),
  or: (args) => args.some((arg) => arg === true),
  not: ([x]) => x !== true,
  orElse: ([x, y]) => x ?? y,
  choose: ([condition, x, y]) => (condition === true ? x : y),
};

const ofValues: Partial<Record<FunctionName, Meaning>> = {
  add: (args, types) =>
    numbers.arithmetic(
      types,
      args,
      (x, y) => x + y,
      (x, y) => x + y,
    ),
  subtract: (args, types) =>
    numbers.arithmetic(
      types,
      args,
      (x, y) => x - y,
      (x, y) => x - y,
    ),
  multiply: (args, types) =>
    numbers.arithmetic(
      types,
      args,
      (x, y) => x * y,
      (x, y) => x * y,
    ),
  div: ([x, y]) => numbers.div(x, y),
  rem: ([x, y]) => numbers.rem(x, y),
  divide: ([x, y]) => numbers.divide(x, y),
  floor: ([x]) => numbers.floor(x),
  ceil: ([x]) => numbers.ceil(x),
  toInt64: ([x]) => numbers.toInt64(x),
  toDouble: ([x]) => Number(x),
  toText: ([x]) => `${x as number | bigint}`,
  concat: (args) => (args as readonly string[]).join(""),
  lower: ([x]) => (x as string).toLowerCase(),
  upper: ([x]) => (x as string).toUpperCase(),
  length: ([x]) => text.codePoints(x as string).length,
  substring: ([x, start, length]) => text.substring(x as string, start as number, length as number | undefined),
  startsWith: ([x, y]) => (x as string).startsWith(y as string),
  endsWith: ([x, y]) => (x as string).endsWith(y as string),
  contains: ([x, y]) => (x as string).includes(y as string),
  split: ([x, separator]) => text.split(x as string, separator as string),
  hash: ([x]) => text.hash(x as string),
  truncate: ([time, unit]) => numbers.truncate(time, unit),
  plus: ([time, milliseconds]) => numbers.plus(time, milliseconds),
  toMillis: ([time]) => time,
  fromMillis: ([milliseconds]) => numbers.fromMillis(milliseconds),
  mapEnum: ([x, ...pairs]) => {
    for (let i = 0; i < pairs.length; i += 2) if (equalValues(x, pairs[i])) return pairs[i + 1];
    return undefined;
  },
};

/** The value of a call; `types` are those of the arguments. */
export function applyFunction(
  name: FunctionName,
  args: readonly PropertyValue[],
  types: readonly ValueType[],
): PropertyValue {
  const presence = ofPresence[name];
  if (presence !== undefined) return presence(args, types);
  const missing = args.some((arg) => arg === undefined || arg === null);
  if (!missing) return ofValues[name]!(args, types);
  return isPredicate(name) ? false : undefined;
}

/** Predicates are true or false, never absent. */
function isPredicate(name: FunctionName): boolean {
  return name === "startsWith" || name === "endsWith" || name === "contains";
}
