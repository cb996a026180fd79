// What the command line prints and how it ends: data on stdout, messages on stderr, one documented exit code per kind of failure.
import { RdgError, describeError, type ErrorKind } from "../core/errors.ts";

/** Documented in `rdg --help`. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  unavailable: 4,
  difference: 5,
  drift: 6,
} as const;

const codeOfKind: Readonly<Record<ErrorKind, number>> = {
  invalid: exitCodes.usage,
  not_found: exitCodes.notFound,
  conflict: exitCodes.unavailable,
  unavailable: exitCodes.unavailable,
  overloaded: exitCodes.unavailable,
  unauthorized: exitCodes.unavailable,
  closed: exitCodes.unavailable,
  corrupt: exitCodes.difference,
  internal: exitCodes.failure,
};

/** A reader that has enough, such as `head`, ends the command quietly. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCodes.ok);
  throw error;
});

/** Writes a line of data. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes a line for the person at the terminal. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? inner.toString() : inner), 2));
}

/** NO_COLOR and a redirected stdout turn colour off. */
export function wantsColor(): boolean {
  return process.stdout.isTTY === true && (process.env["NO_COLOR"] ?? "") === "";
}

export function reportFailure(error: unknown): number {
  say(`rdg: ${describeError(error)}`);
  if (error instanceof RdgError) return codeOfKind[error.kind];
  if (process.env["RDG_DEBUG"] !== undefined && error instanceof Error) say(error.stack ?? "");
  return exitCodes.failure;
}

/** How a command tells the exit code of a run that ended without an error. */
export type Finish = (exitCode: number) => void;
