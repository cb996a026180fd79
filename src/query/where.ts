// Conditions of a request (`where`), checked against a type's properties, into the filters of model/filter.ts.
import { didYouMean } from "../core/did-you-mean.ts";
import { parseBase64, parseInt64 } from "../model/avro/json-values.ts";
import type { PropertyModel, ScalarType } from "../model/definition.ts";
import type { Filter, FilterTarget, PropertyValue } from "../model/filter.ts";
import { type JsonReader, shown } from "./json-reader.ts";
import { momentForms, parseMoment } from "./moments.ts";
import type { TraversalLimits } from "./traversal-plan.ts";

const reserved = ["and", "or", "not", "firstSeen", "lastSeen"];
const comparisons = ["equals", "gt", "gte", "lt", "lte", "in", "present", "prefix"] as const;

interface ConditionContext {
  readonly of: "edge" | "node";
  /** Name of the node or edge type, for messages. */
  readonly typeName: string;
  readonly properties: readonly PropertyModel[];
  readonly limits: TraversalLimits;
  readonly nowMs: number;
  tests: number;
}

export function readCondition(
  json: JsonReader,
  of: "edge" | "node",
  type: { readonly name: string; readonly properties: readonly PropertyModel[] },
  limits: TraversalLimits,
  nowMs: number,
): Filter | undefined {
  const filter = condition(json, { of, typeName: type.name, properties: type.properties, limits, nowMs, tests: 0 }, 1);
  return filter.kind === "and" && filter.filters.length === 0 ? undefined : filter;
}

function condition(json: JsonReader, context: ConditionContext, depth: number): Filter {
  if (depth > context.limits.conditionDepthMax) {
    throw json.fail(
      "condition_too_deep",
      `Conditions nest at most ${context.limits.conditionDepthMax} deep.`,
      "Simplify it.",
    );
  }
  const filters: Filter[] = [];
  for (const name of json.names()) {
    const member = json.at(name);
    if (name === "and" || name === "or") {
      const parts = member.list("conditions", 1, context.limits.testsMax);
      filters.push(
        joined(
          name,
          parts.map((part) => condition(part, context, depth + 1)),
        ),
      );
    } else if (name === "not") {
      filters.push({ kind: "not", filter: condition(member, context, depth + 1) });
    } else {
      filters.push(...tests(name, member, context));
    }
  }
  return joined("and", filters);
}

/** Joins filters, flat: what is joined the same way inside is taken apart, and one filter stays by itself. */
function joined(kind: "and" | "or", filters: readonly Filter[]): Filter {
  const flat = filters.flatMap((filter) => (filter.kind === kind ? filter.filters : [filter]));
  return flat.length === 1 ? flat[0]! : { kind, filters: flat };
}

/** What a name stands for: where its value is, and the scalar type that it compares as; undefined for opaque values, which can only be present. */
interface Operand {
  readonly target: FilterTarget;
  readonly type: ScalarType | undefined;
  readonly isSet: boolean;
}

function operandOf(name: string, json: JsonReader, context: ConditionContext): Operand {
  if (name === "firstSeen" || name === "lastSeen") {
    return { target: { of: context.of, time: name }, type: { kind: "timestamp" }, isSet: false };
  }
  const plain = name.startsWith(".") ? name.slice(1) : name;
  const index = context.properties.findIndex((property) => property.name === plain);
  if (index < 0) {
    const names = [...context.properties.map((property) => property.name), ...reserved];
    throw json.fail(
      "unknown_property",
      `${context.of} type "${context.typeName}" has no property "${plain}".`,
      didYouMean(plain, names),
    );
  }
  const { type, merge } = context.properties[index]!;
  const opaque = type.kind === "array" || type.kind === "map" || type.kind === "record";
  return { target: { of: context.of, property: index }, type: opaque ? undefined : type, isSet: merge === "union" };
}

function tests(name: string, json: JsonReader, context: ConditionContext): Filter[] {
  const operand = operandOf(name, json, context);
  const isMap = typeof json.value === "object" && json.value !== null && !Array.isArray(json.value);
  const filters: Filter[] = [];
  for (const operator of isMap ? json.object(comparisons).names() : ["equals"]) {
    if (++context.tests > context.limits.testsMax) {
      throw json.fail(
        "condition_too_long",
        `A condition has at most ${context.limits.testsMax} tests.`,
        "Use `in` for many values.",
      );
    }
    filters.push(
      test(operator as (typeof comparisons)[number], isMap ? json.at(operator) : json, operand, name, context),
    );
  }
  return filters;
}

function test(
  operator: (typeof comparisons)[number],
  json: JsonReader,
  operand: Operand,
  name: string,
  context: ConditionContext,
): Filter {
  const { target, type } = operand;
  if (operator === "present") {
    if (typeof json.value !== "boolean")
      throw json.fail("bad_value", `Expected true or false, got ${shown(json.value)}.`, "");
    return json.value ? { kind: "present", target } : { kind: "not", filter: { kind: "present", target } };
  }
  if (type === undefined) {
    throw json.fail(
      "not_comparable",
      `"${name}" is an opaque value.`,
      `Only { "present": true | false } can be asked of it.`,
    );
  }
  if (operator === "prefix") {
    if (type.kind !== "string" || operand.isSet) {
      throw json.fail(
        "not_a_text",
        `"${name}" is not a string; prefix cannot be asked of it.`,
        "Use equals, in, gt, gte, lt or lte.",
      );
    }
    return { kind: "prefix", target, value: readValue(json, type, context.nowMs) as string };
  }
  if (operator === "in") {
    const items = json.list("values", 0, context.limits.inValuesMax);
    return { kind: "in", target, values: items.map((item) => readValue(item, type, context.nowMs)) };
  }
  if (operator !== "equals" && operand.isSet) {
    throw json.fail("not_ordered", `"${name}" is a set.`, "Ask with equals or in whether it holds a value.");
  }
  return { kind: "compare", target, operator, value: readValue(json, type, context.nowMs) };
}

/** A literal of a request as the property value of its type. */
function readValue(json: JsonReader, type: ScalarType, nowMs: number): PropertyValue {
  const value = json.value;
  const refuse = (expected: string): Error => {
    const hint = value === null ? 'A comparison with null is never true; ask { "present": ... } instead.' : "";
    return json.fail("bad_value", `Expected ${expected}, got ${shown(value)}.`, hint);
  };
  switch (type.kind) {
    case "string":
      if (typeof value === "string" && value.isWellFormed()) return value;
      throw refuse("a string");
    case "boolean":
      if (typeof value === "boolean") return value;
      throw refuse("true or false");
    case "int32":
      if (typeof value === "number" && (value | 0) === value) return value;
      throw refuse("an integer of 32 bits");
    case "double":
      if (typeof value === "number" && Number.isFinite(value)) return value;
      throw refuse("a number");
    case "int64": {
      if (typeof value === "number" && Number.isSafeInteger(value)) return value;
      const exact = typeof value === "string" ? parseInt64(value) : undefined;
      if (exact === undefined) throw refuse("an integer of 64 bits, as a decimal string or a safe integer");
      return exact;
    }
    case "timestamp": {
      const moment = typeof value === "string" ? parseMoment(value, nowMs) : undefined;
      if (moment === undefined) throw refuse(momentForms);
      return moment;
    }
    case "bytes": {
      const bytes = typeof value === "string" ? parseBase64(value) : undefined;
      if (bytes === undefined) throw refuse("bytes in base64");
      return bytes;
    }
    case "enum":
      if (typeof value === "string" && type.symbols.includes(value)) return value;
      throw json.fail(
        "bad_value",
        `${shown(value)} is no value of this enum.`,
        didYouMean(String(value), type.symbols),
      );
  }
}
