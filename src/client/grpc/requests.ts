// Requests in their JSON forms as messages of rdg.v1 (proto/rdg/v1/). What a message cannot say is refused by the server or the compiler, not here.
import type {
  CommonNeighboursRequest,
  CountRequest,
  EdgesAsked,
  EdgesRequest,
  NodesRequest,
  QuestionOptions,
  ShortestPathRequest,
} from "../../model/questions.ts";
import type { Value } from "../../model/rpc/generated/rdg/v1/element.ts";
import {
  CommonNeighboursRequest as CommonNeighboursMessage,
  CountRequest as CountMessage,
  GetEdgesRequest,
  GetNodesRequest,
  ShortestPathRequest as ShortestPathMessage,
} from "../../model/rpc/generated/rdg/v1/question.ts";
import {
  type Condition as ConditionMessage,
  Direction,
  type EdgeRule as EdgeRuleMessage,
  Order,
  type PropertyNames,
  type Rule as RuleMessage,
  SeenTime,
  type Selection,
  type Test as TestMessage,
  type Where,
} from "../../model/rpc/generated/rdg/v1/rule.ts";
import { Explain } from "../../model/rpc/generated/rdg/v1/traverse.ts";
import { type Hop, TraverseRequest as TraverseMessage } from "../../model/rpc/generated/rdg/v1/traverse.ts";
import type {
  Comparisons,
  Condition,
  ContinueRequest,
  EdgeRule,
  HopConditions,
  HopDirection,
  HopRequest,
  HopSelection,
  JsonScalar,
  Rule,
  Test,
  TraverseRequest,
} from "../../model/traversal.ts";

const directions: Readonly<Record<HopDirection, Direction>> = {
  out: Direction.DIRECTION_OUT,
  in: Direction.DIRECTION_IN,
  both: Direction.DIRECTION_BOTH,
};
const orders = { latest: Order.ORDER_LATEST, any: Order.ORDER_ANY } as const;
const explains = { plan: Explain.EXPLAIN_PLAN, profile: Explain.EXPLAIN_PROFILE } as const;

/** A traversal whose start and hops are text. */
export interface TextRequest extends Omit<TraverseRequest, "from" | "hops"> {
  readonly query: string;
}

export function traverseMessage(request: TraverseRequest | ContinueRequest | TextRequest): Uint8Array {
  const { budget, cache, explain, waitFor, timeoutMs } = request;
  const beside = {
    budget: { ...budget },
    cache,
    explain: explain === undefined ? Explain.EXPLAIN_UNSPECIFIED : explains[explain],
    waitFor: [...(waitFor ?? [])],
    timeoutMs,
  };
  if ("continue" in request) {
    const question = { $case: "continuation", value: request.continue } as const;
    return TraverseMessage.encode({ ...beside, question, hops: [], defaults: undefined, enrich: [] }).finish();
  }
  const { defaults, enrich = [] } = request;
  const ruled = { ...beside, defaults: defaults && ruleMessage(defaults), enrich: [...enrich] };
  if ("query" in request) {
    const question = { $case: "query", value: request.query } as const;
    return TraverseMessage.encode({ ...ruled, question, hops: [] }).finish();
  }
  const { from, hops = [] } = request;
  const start = { type: from.type, ids: [...from.ids], select: namesMessage(from.select) };
  return TraverseMessage.encode({
    ...ruled,
    question: { $case: "start", value: start },
    hops: hops.map(hopMessage),
  }).finish();
}

function hopMessage({ edge, direction, where, select, repeat, ...rule }: HopRequest): Hop {
  return {
    edges: edgesMessage(edge),
    direction: directionMessage(direction),
    rule: ruleMessage(rule),
    where: whereMessage(where),
    select: selectionMessage(select),
    repeat: repeat && { times: repeat.times, until: repeat.until && conditionMessage(repeat.until) },
  };
}

function edgesMessage(edge: EdgesAsked["edge"] | undefined): EdgeRuleMessage[] {
  if (edge === undefined) return [];
  const edges: readonly (string | EdgeRule)[] = typeof edge === "string" ? [edge] : edge;
  return edges.map((each) => {
    const { type, direction, where, select, ...rule }: EdgeRule = typeof each === "string" ? { type: each } : each;
    return {
      type,
      direction: directionMessage(direction),
      rule: ruleMessage(rule),
      where: whereMessage(where),
      select: selectionMessage(select),
    };
  });
}

function directionMessage(direction: HopDirection | undefined): Direction {
  return direction === undefined ? Direction.DIRECTION_UNSPECIFIED : directions[direction];
}

function ruleMessage({ limit, order, since, until }: Rule): RuleMessage | undefined {
  if ([limit, order, since, until].every((member) => member === undefined)) return undefined;
  return { limit, order: order === undefined ? Order.ORDER_UNSPECIFIED : orders[order], since, until };
}

function whereMessage(where: HopConditions | undefined): Where | undefined {
  if (where === undefined) return undefined;
  return { edge: where.edge && conditionMessage(where.edge), node: where.node && conditionMessage(where.node) };
}

function selectionMessage(select: HopSelection | undefined): Selection | undefined {
  return select && { edge: namesMessage(select.edge), node: namesMessage(select.node) };
}

function namesMessage(names: readonly string[] | undefined): PropertyNames | undefined {
  return names && { names: [...names] };
}

function conditionMessage(condition: Condition): ConditionMessage {
  const all = Object.entries(condition).flatMap(([key, value]): ConditionMessage[] => {
    switch (key) {
      case "and":
        return [joined("allOf", value as readonly Condition[])];
      case "or":
        return [joined("anyOf", value as readonly Condition[])];
      case "not":
        return [{ kind: { $case: "negated", value: conditionMessage(value as Condition) } }];
      default:
        return testMessages(key, value as Test).map((test) => ({ kind: { $case: "test", value: test } }));
    }
  });
  return all.length === 1 ? all[0]! : { kind: { $case: "allOf", value: { conditions: all } } };
}

function joined($case: "allOf" | "anyOf", conditions: readonly Condition[]): ConditionMessage {
  return { kind: { $case, value: { conditions: conditions.map(conditionMessage) } } };
}

function testMessages(key: string, test: Test): TestMessage[] {
  const target = targetOf(key);
  const comparisons: Comparisons = typeof test === "object" ? test : { equals: test };
  return Object.entries(comparisons).map(([name, value]) => ({ target, comparison: comparisonOf(name, value) }));
}

function targetOf(key: string): TestMessage["target"] {
  if (key === "firstSeen") return { $case: "time", value: SeenTime.SEEN_TIME_FIRST_SEEN };
  if (key === "lastSeen") return { $case: "time", value: SeenTime.SEEN_TIME_LAST_SEEN };
  return { $case: "property", value: key.startsWith(".") ? key.slice(1) : key };
}

function comparisonOf(name: string, value: Comparisons[keyof Comparisons]): TestMessage["comparison"] {
  switch (name) {
    case "in":
      return { $case: "oneOf", value: { values: (value as readonly JsonScalar[]).map(valueOf) } };
    case "present":
      return { $case: "present", value: value as boolean };
    case "prefix":
      return { $case: "prefix", value: value as string };
    default:
      return { $case: name as "equals" | "gt" | "gte" | "lt" | "lte", value: valueOf(value as JsonScalar) };
  }
}

/** The server reads texts and numbers by the property's type, as in JSON. */
function valueOf(scalar: JsonScalar): Value {
  if (typeof scalar === "string") return { kind: { $case: "stringValue", value: scalar } };
  if (typeof scalar === "number") return { kind: { $case: "doubleValue", value: scalar } };
  return { kind: { $case: "boolValue", value: scalar } };
}

function optionsMessage({ waitFor, timeoutMs, cache }: QuestionOptions): {
  waitFor: string[];
  timeoutMs: number | undefined;
  cache: boolean | undefined;
} {
  return { waitFor: [...(waitFor ?? [])], timeoutMs, cache };
}

function askedMessage({
  edge,
  direction,
  where,
}: Partial<EdgesAsked>): Pick<CountMessage, "edges" | "direction" | "where"> {
  return { edges: edgesMessage(edge), direction: directionMessage(direction), where: whereMessage(where) };
}

export const questionMessages = {
  nodes: (request: NodesRequest): Uint8Array =>
    GetNodesRequest.encode({
      type: request.type,
      ids: [...request.ids],
      select: namesMessage(request.select),
      options: optionsMessage(request),
    }).finish(),
  edges: (request: EdgesRequest): Uint8Array =>
    GetEdgesRequest.encode({
      type: request.type,
      pairs: request.pairs.map(({ from, to }) => ({ fromId: from, toId: to })),
      select: namesMessage(request.select),
      options: optionsMessage(request),
    }).finish(),
  count: (request: CountRequest): Uint8Array =>
    CountMessage.encode({
      ...askedMessage(request),
      start: { type: request.from.type, ids: [...request.from.ids] },
      since: request.since,
      until: request.until,
      budget: { ...request.budget },
      options: optionsMessage(request),
    }).finish(),
  shortestPath: (request: ShortestPathRequest): Uint8Array =>
    ShortestPathMessage.encode({
      ...askedMessage(request),
      start: request.from,
      end: request.to,
      maxDepth: request.maxDepth,
      rule: ruleMessage(request),
      budget: { ...request.budget },
      select: selectionMessage(request.select),
      options: optionsMessage(request),
    }).finish(),
  commonNeighbours: (request: CommonNeighboursRequest): Uint8Array =>
    CommonNeighboursMessage.encode({
      ...askedMessage(request),
      of: { type: request.of.type, ids: [...request.of.ids] },
      rule: ruleMessage(request),
      budget: { ...request.budget },
      select: selectionMessage(request.select),
      options: optionsMessage(request),
    }).finish(),
};
