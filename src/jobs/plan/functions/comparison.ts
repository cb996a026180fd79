// The reference meaning of equality and order, by type (docs/SEMANTICS.md, section 10).
import type { ValueType } from "../../../model/definition.ts";
import type { PropertyValue } from "../../../model/filter.ts";
import { compareText } from "./text.ts";

function isMissing(value: PropertyValue): boolean {
  return value === undefined || value === null;
}

/** False when either is absent or null. */
export function equalValues(x: PropertyValue, y: PropertyValue): boolean {
  if (isMissing(x) || isMissing(y)) return false;
  if (x instanceof Uint8Array && y instanceof Uint8Array) return compareText(x, y) === 0;
  return x === y;
}

/** Whether `holds` of the sign of the comparison; false when either is absent or null. */
export function compareValues(
  args: readonly PropertyValue[],
  types: readonly ValueType[],
  holds: (sign: number) => boolean,
): boolean {
  const [x, y] = args;
  return !isMissing(x) && !isMissing(y) && holds(order(x, y, types));
}

function order(x: PropertyValue, y: PropertyValue, types: readonly ValueType[]): number {
  const symbols = types.find((type) => type.kind === "enum")?.symbols;
  if (symbols !== undefined) return symbols.indexOf(x as string) - symbols.indexOf(y as string);
  if (typeof x === "string" || x instanceof Uint8Array) return compareText(x, y);
  const [a, b] = [x as number | bigint | boolean, y as number | bigint | boolean];
  return a < b ? -1 : a > b ? 1 : 0;
}
