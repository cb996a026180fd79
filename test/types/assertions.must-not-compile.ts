// The assertions themselves: were they too lax, every other file of this folder would prove nothing.
import { assertType, type Same } from "./assertions.ts";

assertType<Same<string, string>>();
assertType<Same<{ a: 1; b?: 2 }, { b?: 2; a: 1 }>>();

// @ts-expect-error different types
assertType<Same<string, number>>();
// @ts-expect-error unknown is not never
assertType<Same<{ a: unknown }, { a: never }>>();
// @ts-expect-error a wider type
assertType<Same<"a" | "b", string>>();
// @ts-expect-error optional is not required
assertType<Same<{ a?: 1 }, { a: 1 }>>();
// @ts-expect-error readonly is not writable
assertType<Same<{ readonly a: 1 }, { a: 1 }>>();
// @ts-expect-error any hides nothing: it is the same as any only
assertType<Same<any, string>>();
