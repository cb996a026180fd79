// The canonical JavaScript form of an int64: a number when it is a safe integer, else a bigint. So equal values are equal by `===`.
import type { Int64 } from "./sink.ts";

/** The canonical form of the value's low 64 bits: overflow wraps (docs/SEMANTICS.md, section 10). */
export function canonicalInt64(value: bigint): Int64 {
  const wrapped = BigInt.asIntN(64, value);
  const nearest = Number(wrapped);
  return Number.isSafeInteger(nearest) ? nearest : wrapped;
}
