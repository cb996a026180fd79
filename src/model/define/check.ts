// Checks that every builder makes, and how a wrong definition is reported: the place in the definition, what is wrong, what to write instead.
import { RdgError } from "../../core/errors.ts";

/** Topics and folders are named after declarations, with a prefix; 255 bytes is the longest file name. */
export const declarationNameMax = 200;
export const fieldNameMax = 255;

const namePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function definitionError(code: string, message: string, hint: string, place?: string): RdgError {
  return new RdgError("invalid", code, message, { hint, place });
}

export function checkName(name: unknown, what: string, lengthMax: number, place?: string): asserts name is string {
  if (typeof name !== "string" || !namePattern.test(name)) {
    const shown = typeof name === "string" ? JSON.stringify(name.slice(0, 100)) : typeof name;
    const hint = "A name has ASCII letters, digits and underscores, and does not begin with a digit.";
    throw definitionError("bad_name", `${shown} cannot be the name of ${what}.`, hint, place);
  }
  if (name.length > lengthMax) {
    const message = `The name of ${what} has ${name.length} characters.`;
    throw definitionError("name_too_long", message, `Use at most ${lengthMax} characters.`, place);
  }
}

/** Runs part of a definition and puts its place in front of that of an error in it: `job playback > emit > watched.positionMs`. */
export function within<T>(place: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof RdgError)) throw error;
    throw new RdgError(error.kind, error.code, error.message, {
      place: error.place === undefined ? place : `${place} > ${error.place}`,
      hint: error.hint,
      cause: error.cause,
    });
  }
}

/**
 * The options or fields of a declaration: own properties of a plain object. An object with another prototype is refused, because
 * `{ __proto__: ... }` sets the prototype and declares no field.
 */
export function plainEntries(value: unknown, what: string, place?: string): [string, unknown][] {
  const prototype: unknown = typeof value === "object" && value !== null ? Object.getPrototypeOf(value) : undefined;
  if (prototype === undefined || (prototype !== null && !isObjectPrototype(prototype))) {
    const hint = 'Write an object literal; a field named __proto__ is written ["__proto__"]: ...';
    throw definitionError("bad_object", `${what} must be a plain object.`, hint, place);
  }
  return Object.entries(value as object);
}

/** Also of another realm, as under test runners. */
function isObjectPrototype(prototype: unknown): boolean {
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, "hasOwnProperty");
}

export function checkOptions(value: unknown, allowed: readonly string[], place?: string): void {
  if (value === undefined) return;
  for (const [name] of plainEntries(value, "The options", place)) {
    if (allowed.includes(name)) continue;
    throw definitionError(
      "unknown_option",
      `There is no option "${name}".`,
      `Options are: ${allowed.join(", ")}.`,
      place,
    );
  }
}

export function checkInteger(value: unknown, min: number, max: number, place: string): void {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return;
  const message = `${String(value)} is not an integer from ${min} to ${max}.`;
  throw definitionError("out_of_range", message, "Choose a number within the range.", place);
}

/** Freezes plain data to its last leaf. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
  return value;
}
