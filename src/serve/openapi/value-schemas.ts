// Values of the definition's types as JSON Schema: as events and rows give them, and as answers tell them. The limits are those of model/avro/json-values.ts.
import {
  int32Max,
  int32Min,
  itemsMax,
  keyBytesMax,
  textBytesMax,
  timestampMaxMs,
} from "../../model/avro/json-values.ts";
import type { EventModel, PropertyModel, SideInputModel, ValueType } from "../../model/definition.ts";
import type { FieldModel } from "../../model/value-type.ts";
import { type JsonSchema, closed, integer, listOf, mapOf, oneOfNames } from "./json-schema.ts";

const timestampPattern =
  "^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])T([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]([01]\\d|2[0-3]):\\d\\d)$";
/** Padded, unused bits zero: bytes have one text only. */
const base64Pattern = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";
const decimalPattern = "^(0|-?[1-9]\\d{0,18})$";

/** Bytes of UTF-8 cannot be stated; a text of so many bytes has at most so many characters. */
const given: JsonSchema = { type: "string", maxLength: textBytesMax };

/** As requests give it. */
const timestamp: JsonSchema = { type: "string", format: "date-time", pattern: timestampPattern };
/** As answers tell it: UTC, with milliseconds; years outside of 0 to 9999 have a sign and six digits. */
export const time: JsonSchema = {
  type: "string",
  pattern: "^([+-]\\d{6}|\\d{4})-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$",
  examples: ["2026-11-21T16:55:00.123Z"],
};
const base64: JsonSchema = { type: "string", contentEncoding: "base64", pattern: base64Pattern };
export const decimal: JsonSchema = { type: "string", pattern: decimalPattern, examples: ["1200"] };
/** Of a node, an event, a row. */
export const id: JsonSchema = { type: "string", minLength: 1, maxLength: keyBytesMax };

/** A record of an event or a row of a side input as JSON. */
export function recordSchema({ fields, key }: EventModel | SideInputModel): JsonSchema {
  const schema = fieldsSchema(fields);
  return { ...schema, properties: { ...(schema["properties"] as object), [key]: id } };
}

function fieldsSchema(fields: readonly FieldModel[]): JsonSchema {
  const members = Object.fromEntries(
    fields.map(({ name, type, optional }) => [name, optional ? nullable(givenValue(type)) : givenValue(type)]),
  );
  const required = fields.filter(({ optional }) => !optional).map(({ name }) => name);
  return closed(members, required);
}

function givenValue(type: ValueType): JsonSchema {
  switch (type.kind) {
    case "string":
      return given;
    case "int32":
      return integer(int32Min, int32Max);
    case "int64":
      return { anyOf: [integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER), decimal] };
    case "double":
      return { type: "number" };
    case "boolean":
      return { type: "boolean" };
    case "timestamp":
      return { anyOf: [timestamp, integer(-timestampMaxMs, timestampMaxMs)] };
    case "bytes":
      return { ...base64, maxLength: 4 * Math.ceil(textBytesMax / 3) };
    case "enum":
      return oneOfNames(type.symbols);
    case "array":
      return listOf(givenValue(type.item), { max: itemsMax });
    case "map":
      return { ...mapOf(givenValue(type.value)), maxProperties: itemsMax, propertyNames: given };
    case "record":
      return fieldsSchema(type.fields);
  }
}

/** A property of a node or edge in an answer. */
export function propertySchema({ type, merge }: PropertyModel): JsonSchema {
  const value = toldValue(type);
  return nullable(merge === "union" ? listOf(value) : value);
}

function toldValue(type: ValueType): JsonSchema {
  switch (type.kind) {
    case "string":
      return { type: "string" };
    case "int32":
      return integer(int32Min, int32Max);
    case "int64":
      return decimal;
    case "double":
      return { type: "number" };
    case "boolean":
      return { type: "boolean" };
    case "timestamp":
      return time;
    case "bytes":
      return base64;
    case "enum":
      return oneOfNames(type.symbols);
    case "array":
      return listOf(nullable(toldValue(type.item)));
    case "map":
      return mapOf(nullable(toldValue(type.value)));
    case "record": {
      const members = type.fields.map(({ name, type: inner }) => [name, nullable(toldValue(inner))] as const);
      return { type: "object", properties: Object.fromEntries(members) };
    }
  }
}

function nullable(schema: JsonSchema): JsonSchema {
  return { anyOf: [schema, { type: "null" }] };
}
