// How long fuzzing goes on: a few seconds within `npm test`, longer by `npm run test:fuzz`, which sets the variable.

/** @param usual rounds that take well below a second */
export function rounds(usual: number): number {
  return Math.ceil(usual * Number(process.env["FUZZ_FACTOR"] ?? 1));
}
