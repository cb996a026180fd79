// Assertions about types, for the files of this folder: the compiler is the test runner.

/** True where both types are the same, modifiers and `any` included. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** `assertType<Same<typeof value, string>>()` compiles where the types are the same. */
export function assertType<_Assertion extends true>(): void {}
