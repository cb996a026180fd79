// Where a walk over a record leaves what it found: for each wanted field one or two numbers in an Int32Array, the same for events, rows and array items.
import type { FieldModel, ValueType } from "../../../model/definition.ts";

/**
 * - `range`: start and end of the value's bytes, in `index` and `index + 1` (text, bytes; an array, map or record with all its Avro bytes);
 * - `position`: where the value begins (int32, int64, double, timestamp);
 * - `code`: the value itself (boolean 0 or 1; enum: index of the symbol).
 * An absent value is -1 in `index`.
 */
export interface Slot {
  readonly index: number;
  readonly form: "range" | "position" | "code";
  readonly type: ValueType;
  /** The field or a record around it is optional. */
  readonly optional: boolean;
}

export interface Layout {
  readonly slots: ReadonlyMap<string, Slot>;
  /** Length of the Int32Array. */
  readonly size: number;
}

export function pathKey(path: readonly string[]): string {
  return JSON.stringify(path);
}

function formOf(type: ValueType): Slot["form"] {
  switch (type.kind) {
    case "boolean":
    case "enum":
      return "code";
    case "int32":
    case "int64":
    case "double":
    case "timestamp":
      return "position";
    default:
      return "range";
  }
}

/** Slots in the order of a walk, for the paths that `wanted` says yes to. */
export function layoutOf(fields: readonly FieldModel[], wanted: (path: string) => boolean): Layout {
  const slots = new Map<string, Slot>();
  let size = 0;
  const visit = (type: ValueType, path: readonly string[], optional: boolean): void => {
    if (wanted(pathKey(path))) {
      const form = formOf(type);
      slots.set(pathKey(path), { index: size, form, type, optional });
      size += form === "range" ? 2 : 1;
    }
    if (type.kind !== "record") return;
    for (const field of type.fields) visit(field.type, [...path, field.name], optional || field.optional);
  };
  for (const field of fields) visit(field.type, [field.name], field.optional);
  return { slots, size };
}

/** The same for an array's items, whose own path is []. */
export function itemLayoutOf(item: ValueType, wanted: (path: string) => boolean): Layout {
  const fields: readonly FieldModel[] = item.kind === "record" ? item.fields : [];
  const inner = layoutOf(fields, wanted);
  if (!wanted(pathKey([]))) return inner;
  const form = formOf(item);
  const own: Slot = { index: inner.size, form, type: item, optional: false };
  return { slots: new Map([...inner.slots, [pathKey([]), own]]), size: inner.size + (form === "range" ? 2 : 1) };
}
