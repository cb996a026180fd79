import { timestampMaxMs } from "../../../model/avro/json-values.ts";
// The reference meaning of the functions on numbers and times: int64 by bigint throughout, and slow.
import type { ValueType } from "../../../model/definition.ts";
import type { PropertyValue } from "../../../model/filter.ts";
import type { Int64 } from "../../../model/update/sink.ts";

/** Wraps to 64 bits; a number while that is a safe integer. */
export function canonicalInt64(value: bigint): Int64 {
  const wrapped = BigInt.asIntN(64, value);
  return wrapped >= Number.MIN_SAFE_INTEGER && wrapped <= Number.MAX_SAFE_INTEGER ? Number(wrapped) : wrapped;
}

function integer(value: PropertyValue): bigint {
  return BigInt(value as Int64);
}

function finite(value: number): number | undefined {
  if (!Number.isFinite(value)) return undefined;
  return value === 0 ? 0 : value; // no -0
}

function timestamp(value: bigint): number | undefined {
  return value >= -timestampMaxMs && value <= timestampMaxMs ? Number(value) : undefined;
}

/** Both integers: int64; else both as doubles. */
export function arithmetic(
  types: readonly ValueType[],
  args: readonly PropertyValue[],
  integers: (x: bigint, y: bigint) => bigint,
  doubles: (x: number, y: number) => number,
): PropertyValue {
  if (types.some((type) => type.kind === "double")) return finite(doubles(Number(args[0]), Number(args[1])));
  return canonicalInt64(integers(integer(args[0]), integer(args[1])));
}

/** bigint's / and % truncate towards zero. */
export function div(x: PropertyValue, y: PropertyValue): PropertyValue {
  return integer(y) === 0n ? undefined : canonicalInt64(integer(x) / integer(y));
}

export function rem(x: PropertyValue, y: PropertyValue): PropertyValue {
  return integer(y) === 0n ? undefined : canonicalInt64(integer(x) % integer(y));
}

export function divide(x: PropertyValue, y: PropertyValue): PropertyValue {
  return Number(y) === 0 ? undefined : finite(Number(x) / Number(y));
}

export function floor(x: PropertyValue): PropertyValue {
  return finite(Math.floor(x as number));
}

export function ceil(x: PropertyValue): PropertyValue {
  return finite(Math.ceil(x as number));
}

export function toInt64(x: PropertyValue): PropertyValue {
  const whole = BigInt(Math.trunc(x as number));
  return BigInt.asIntN(64, whole) === whole ? canonicalInt64(whole) : undefined;
}

const hourMs = 3_600_000n;
const unitsMs: Readonly<Record<string, bigint>> = {
  second: 1000n,
  minute: 60_000n,
  hour: hourMs,
  day: 24n * hourMs,
  week: 7n * 24n * hourMs,
};
/** 5 January 1970, the first Monday. */
const mondayMs = 4n * 24n * hourMs;

/** Floors, also before 1970. */
export function truncate(time: PropertyValue, unit: PropertyValue): PropertyValue {
  const unitMs = unitsMs[unit as string]!;
  const origin = unit === "week" ? mondayMs : 0n;
  const since = integer(time) - origin;
  return timestamp(integer(time) - (((since % unitMs) + unitMs) % unitMs));
}

export function plus(time: PropertyValue, milliseconds: PropertyValue): PropertyValue {
  return timestamp(integer(time) + integer(milliseconds));
}

export function fromMillis(milliseconds: PropertyValue): PropertyValue {
  return timestamp(integer(milliseconds));
}
