// Records as JSON text in the forms that clients write: names in any order, nulls for absent fields, escapes, integers as texts, times as ISO 8601 or milliseconds.
import type { Random } from "../../src/core/random.ts";
import type { RecordValue } from "../../src/jobs/plan/decode.ts";
import type { FieldModel, ValueType } from "../../src/model/definition.ts";
import type { PropertyValue } from "../../src/model/filter.ts";

export function jsonText(fields: readonly FieldModel[], record: RecordValue, random: Random): string {
  const oneIn = (count: number): boolean => random.below(count) === 0;
  const text = (value: string): string => {
    if (!oneIn(8)) return JSON.stringify(value);
    const units = Array.from({ length: value.length }, (_, i) => value.charCodeAt(i).toString(16).padStart(4, "0"));
    return `"${units.map((unit) => `\\u${unit}`).join("")}"`;
  };
  const time = (ms: number): string => {
    const year = new Date(ms).getUTCFullYear();
    return year >= 0 && year <= 9999 && oneIn(2) ? `"${new Date(ms).toISOString()}"` : String(ms);
  };
  const object = (entries: readonly (readonly [string, string])[]): string => {
    const shuffled = oneIn(3) ? [...entries].reverse() : entries;
    const blank = oneIn(4) ? " " : "";
    return `{${blank}${shuffled.map(([name, value]) => `${text(name)}:${blank}${value}`).join(`${blank},`)}}`;
  };
  const recordOf = (of: readonly FieldModel[], value: RecordValue): string =>
    object(
      of.flatMap((field) => {
        const own = value[field.name];
        if (own !== undefined) return [[field.name, valueOf(field.type, own)] as const];
        return field.optional && oneIn(3) ? [[field.name, "null"] as const] : [];
      }),
    );
  const valueOf = (type: ValueType, value: PropertyValue): string => {
    switch (type.kind) {
      case "string":
      case "enum":
        return text(value as string);
      case "int32":
      case "boolean":
      case "double":
        return JSON.stringify(value);
      case "int64":
        return typeof value === "bigint" || oneIn(2) ? `"${value as number | bigint}"` : JSON.stringify(value);
      case "timestamp":
        return time(value as number);
      case "bytes":
        return `"${Buffer.from(value as Uint8Array).toString("base64")}"`;
      case "array":
        return `[${(value as readonly PropertyValue[]).map((item) => valueOf(type.item, item)).join(",")}]`;
      case "map":
        return object(Object.entries(value as RecordValue).map(([name, each]) => [name, valueOf(type.value, each)]));
      case "record":
        return recordOf(type.fields, value as RecordValue);
    }
  };
  return recordOf(fields, record);
}
