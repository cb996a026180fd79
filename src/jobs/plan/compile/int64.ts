// Hot path: int64 arithmetic on canonical values (number while safe, else bigint), wrapping; bigint only where numbers are not exact.
import type { Int64 } from "../../../model/update/sink.ts";

function canonical(value: bigint): Int64 {
  const wrapped = BigInt.asIntN(64, value);
  const near = Number(wrapped);
  return Number.isSafeInteger(near) ? near : wrapped;
}

export function addInt64(x: Int64, y: Int64): Int64 {
  if (typeof x === "number" && typeof y === "number") {
    const sum = x + y;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return canonical(BigInt(x) + BigInt(y));
}

export function subtractInt64(x: Int64, y: Int64): Int64 {
  if (typeof x === "number" && typeof y === "number") {
    const difference = x - y;
    if (Number.isSafeInteger(difference)) return difference;
  }
  return canonical(BigInt(x) - BigInt(y));
}

export function multiplyInt64(x: Int64, y: Int64): Int64 {
  if (typeof x === "number" && typeof y === "number") {
    const product = x * y;
    if (Number.isSafeInteger(product)) return product + 0; // -0 becomes 0
  }
  return canonical(BigInt(x) * BigInt(y));
}

/** Truncating; y is not 0. What is divided is a multiple of y, so the quotient of safe integers is exact. */
export function divideInt64(x: Int64, y: Int64): Int64 {
  if (typeof x === "number" && typeof y === "number") return (x - (x % y)) / y + 0;
  return canonical(BigInt(x) / BigInt(y));
}

/** With the sign of x; y is not 0. */
export function remainderInt64(x: Int64, y: Int64): Int64 {
  if (typeof x === "number" && typeof y === "number") return (x % y) + 0;
  return canonical(BigInt(x) % BigInt(y));
}

/** Truncates; the caller has checked the range [-2^63, 2^63). */
export function toInt64(value: number): Int64 {
  const whole = Math.trunc(value) + 0;
  return Number.isSafeInteger(whole) ? whole : BigInt(whole);
}

/** Floors to a multiple of `unitMs` counted from `originMs`. */
export function floorTime(timeMs: number, unitMs: number, originMs: number): number {
  const rest = (timeMs - originMs) % unitMs;
  return timeMs - (rest < 0 ? rest + unitMs : rest) + 0;
}
