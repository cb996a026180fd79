// Requests from JSON to messages and answers from messages to JSON: what shows that gRPC and HTTP say the same. Written apart from the product's conversions.
import type { GraphModel, PropertyModel, ValueType } from "../../src/model/definition.ts";
import type { Timestamp } from "../../src/model/rpc/generated/google/protobuf/timestamp.ts";
import type { Edge, Node, Value } from "../../src/model/rpc/generated/rdg/v1/element.ts";
import {
  type Condition as ConditionMessage,
  Direction,
  type EdgeRule as EdgeRuleMessage,
  Order,
  type Rule as RuleMessage,
  SeenTime,
  type Test as TestMessage,
} from "../../src/model/rpc/generated/rdg/v1/rule.ts";
import {
  type TraverseRequest as TraverseMessage,
  TruncationCause,
} from "../../src/model/rpc/generated/rdg/v1/traverse.ts";
import type {
  Comparisons,
  Condition,
  EdgeRule,
  HopConditions,
  HopRequest,
  HopSelection,
  JsonScalar,
  JsonValue,
  Rule,
  TraverseAnswer,
  TraverseRequest,
} from "../../src/model/traversal.ts";
import type { Traversed } from "./loopback.ts";

const directions = { out: Direction.DIRECTION_OUT, in: Direction.DIRECTION_IN, both: Direction.DIRECTION_BOTH };

export function messageOf({ from, hops = [], defaults, ...rest }: TraverseRequest): TraverseMessage {
  const { budget, enrich = [], cache, waitFor = [], timeoutMs } = rest;
  return {
    question: { $case: "start", value: { type: from.type, ids: [...from.ids], select: names(from.select) } },
    hops: hops.map(hopMessage),
    defaults: defaults && ruleMessage(defaults),
    budget: budget && { edges: budget.edges, scanned: budget.scanned, bytes: budget.bytes },
    enrich: [...enrich],
    cache,
    explain: 0,
    waitFor: [...waitFor],
    timeoutMs,
  };
}

function hopMessage({ edge, direction, where, select, repeat, ...rule }: HopRequest): TraverseMessage["hops"][number] {
  return {
    edges: (typeof edge === "string" ? [edge] : edge).map(edgeMessage),
    direction: direction === undefined ? 0 : directions[direction],
    rule: ruleMessage(rule),
    where: whereMessage(where),
    select: selectMessage(select),
    repeat: repeat && { times: repeat.times, until: repeat.until && conditionMessage(repeat.until) },
  };
}

function edgeMessage(rule: string | EdgeRule): EdgeRuleMessage {
  const { type, direction, where, select, ...own }: EdgeRule = typeof rule === "string" ? { type: rule } : rule;
  return {
    type,
    direction: direction === undefined ? 0 : directions[direction],
    rule: ruleMessage(own),
    where: whereMessage(where),
    select: selectMessage(select),
  };
}

function ruleMessage({ limit, order, since, until }: Rule): RuleMessage {
  const orders = { latest: Order.ORDER_LATEST, any: Order.ORDER_ANY };
  return { limit, order: order === undefined ? 0 : orders[order], since, until };
}

const names = (list: readonly string[] | undefined): { names: string[] } | undefined => list && { names: [...list] };

function selectMessage(select: HopSelection | undefined): EdgeRuleMessage["select"] {
  return select && { edge: names(select.edge), node: names(select.node) };
}

function whereMessage(where: HopConditions | undefined): EdgeRuleMessage["where"] {
  return (
    where && { edge: where.edge && conditionMessage(where.edge), node: where.node && conditionMessage(where.node) }
  );
}

function conditionMessage(condition: Condition): ConditionMessage {
  const all = Object.entries(condition).flatMap(([key, value]): ConditionMessage[] => {
    if (key === "and" || key === "or") {
      const conditions = (value as Condition[]).map(conditionMessage);
      return [{ kind: { $case: key === "and" ? "allOf" : "anyOf", value: { conditions } } }];
    }
    if (key === "not") return [{ kind: { $case: "negated", value: conditionMessage(value as Condition) } }];
    return testMessages(key, value as JsonScalar | Comparisons);
  });
  return all.length === 1 ? all[0]! : { kind: { $case: "allOf", value: { conditions: all } } };
}

function testMessages(key: string, test: JsonScalar | Comparisons): ConditionMessage[] {
  const target: TestMessage["target"] =
    key === "firstSeen" || key === "lastSeen"
      ? { $case: "time", value: key === "firstSeen" ? SeenTime.SEEN_TIME_FIRST_SEEN : SeenTime.SEEN_TIME_LAST_SEEN }
      : { $case: "property", value: key.replace(/^\./, "") };
  const comparisons = typeof test === "object" ? test : { equals: test };
  return Object.entries(comparisons).map(([operator, value]) => ({
    kind: { $case: "test", value: { target, comparison: comparisonMessage(operator, value) } },
  }));
}

function comparisonMessage(operator: string, value: unknown): TestMessage["comparison"] {
  if (operator === "present") return { $case: "present", value: value as boolean };
  if (operator === "prefix") return { $case: "prefix", value: value as string };
  if (operator === "in") return { $case: "oneOf", value: { values: (value as JsonScalar[]).map(scalar) } };
  return { $case: operator as "equals", value: scalar(value as JsonScalar) };
}

function scalar(value: JsonScalar): Value {
  if (typeof value === "string") return { kind: { $case: "stringValue", value } };
  if (typeof value === "boolean") return { kind: { $case: "boolValue", value } };
  return Number.isSafeInteger(value)
    ? { kind: { $case: "int64Value", value: BigInt(value) } }
    : { kind: { $case: "doubleValue", value } };
}

/** The JSON answer, without timings: all chunks in their order, put together by level. */
export function answerOf({ chunks, summary }: Traversed, model: GraphModel): Omit<TraverseAnswer, "timings"> {
  const levels: { nodes: object[]; edges?: object[] }[] = [];
  const levelCount = summary.hops.length + 1;
  for (let i = 0; i < levelCount; i++) levels.push(i === 0 ? { nodes: [] } : { nodes: [], edges: [] });
  for (const { level, nodes, edges } of chunks) {
    levels[level]!.nodes.push(...nodes.map((node) => nodeOf(node, model)));
    levels[level]!.edges?.push(...edges.map((edge) => edgeOf(edge, model)));
  }
  const hops = summary.hops.map(({ complete, truncated, hop, repetition }) => ({
    ...(hop === undefined ? {} : { hop }),
    ...(repetition === undefined ? {} : { repetition }),
    complete,
    ...(truncated && {
      truncated: {
        cause: causes.get(truncated.cause),
        nodes: truncated.nodes,
        ...(truncated.next === "" ? {} : { next: truncated.next }),
        ...(truncated.reason === "" ? {} : { reason: truncated.reason }),
      },
    }),
  }));
  const { complete, asOf, fromHop } = summary;
  return { levels, hops, complete, asOf, ...(fromHop === undefined ? {} : { fromHop }) } as unknown as TraverseAnswer;
}

const causes: ReadonlyMap<TruncationCause, string> = new Map([
  [TruncationCause.TRUNCATION_CAUSE_LIMIT, "limit"],
  [TruncationCause.TRUNCATION_CAUSE_SCAN, "scan"],
  [TruncationCause.TRUNCATION_CAUSE_BUDGET_EDGES, "budget_edges"],
  [TruncationCause.TRUNCATION_CAUSE_BUDGET_BYTES, "budget_bytes"],
  [TruncationCause.TRUNCATION_CAUSE_DEADLINE, "deadline"],
]);

export function nodeOf({ type, id, firstSeen, lastSeen, properties }: Node, model: GraphModel): object {
  const declared = model.nodes.find(({ name }) => name === type)!.properties;
  if (firstSeen === undefined || lastSeen === undefined) return { type, id };
  return { type, id, firstSeen: iso(firstSeen), lastSeen: iso(lastSeen), properties: plain(properties, declared) };
}

export function edgeOf({ type, fromId, toId, firstSeen, lastSeen, properties }: Edge, model: GraphModel): object {
  const declared = model.edges.find(({ name }) => name === type)!.properties;
  const times = { firstSeen: iso(firstSeen!), lastSeen: iso(lastSeen!) };
  return { type, from: fromId, to: toId, ...times, properties: plain(properties, declared) };
}

function plain(properties: ReadonlyMap<string, Value>, declared: readonly PropertyModel[]): object {
  const entries = [...properties].map(([name, value]) => {
    const { type, merge } = declared.find((property) => property.name === name)!;
    return [name, jsonOf(value, merge === "union" ? { kind: "array", item: type } : type)] as const;
  });
  // Not an assignment: a property may be called `__proto__`.
  return Object.fromEntries(entries);
}

function jsonOf({ kind }: Value, type: ValueType): JsonValue {
  switch (kind?.$case) {
    case "int64Value":
      return type.kind === "int64" ? kind.value.toString() : Number(kind.value);
    case "timestampValue":
      return iso(kind.value);
    case "bytesValue":
      return Buffer.from(kind.value).toString("base64");
    case "listValue":
      return kind.value.values.map((value) => jsonOf(value, type.kind === "array" ? type.item : type));
    case "mapValue":
      return Object.fromEntries(
        [...kind.value.entries].map(([name, value]) => {
          const field = type.kind === "record" ? type.fields.find((each) => each.name === name)!.type : type;
          return [name, jsonOf(value, field.kind === "map" ? field.value : field)];
        }),
      );
    case "nullValue":
      return null;
    default:
      if (kind === undefined) throw new Error("A value is empty.");
      return kind.value;
  }
}

function iso({ seconds, nanos }: Timestamp): string {
  return new Date(Number(seconds) * 1_000 + nanos / 1_000_000).toISOString();
}
