// Rules, conditions and selections of messages as the JSON forms that the query stage validates (model/traversal.ts).
import { RdgError } from "../../core/errors.ts";
import type { Value } from "../../model/rpc/generated/rdg/v1/element.ts";
import {
  type Condition as ConditionMessage,
  Direction,
  type EdgeRule as EdgeRuleMessage,
  Order,
  type PropertyNames,
  type Rule as RuleMessage,
  SeenTime,
  type Selection,
  type Test,
  type Where,
} from "../../model/rpc/generated/rdg/v1/rule.ts";
import type { Condition, EdgeRule, HopConditions, HopDirection, HopSelection, Rule } from "../../model/traversal.ts";

/** Values as JSON has them; null, lists and maps are no values to compare with. */
type Comparable = string | number | boolean;

const directions: ReadonlyMap<Direction, HopDirection> = new Map([
  [Direction.DIRECTION_OUT, "out"],
  [Direction.DIRECTION_IN, "in"],
  [Direction.DIRECTION_BOTH, "both"],
]);
const orders: ReadonlyMap<Order, "latest" | "any"> = new Map([
  [Order.ORDER_LATEST, "latest"],
  [Order.ORDER_ANY, "any"],
]);
/** Names that stand for something else in a condition's JSON are reached with a dot before them. */
const reserved: ReadonlySet<string> = new Set(["and", "or", "not", "firstSeen", "lastSeen"]);

/** `where` names the field, for the error. */
export function directionOf(direction: Direction, where: string): { direction?: HopDirection } {
  if (direction === Direction.DIRECTION_UNSPECIFIED) return {};
  const known = directions.get(direction);
  if (known === undefined) throw unknownNumber(where, direction);
  return { direction: known };
}

export function ruleOf(rule: RuleMessage | undefined): Rule {
  if (rule === undefined) return {};
  const { limit, order, since, until } = rule;
  const known = orders.get(order);
  if (known === undefined && order !== Order.ORDER_UNSPECIFIED) throw unknownNumber("order", order);
  return { ...(known && { order: known }), ...given({ limit, since, until }) };
}

/** One edge type without anything of its own is written as its name, which says the same. */
export function edgesOf(edges: readonly EdgeRuleMessage[]): string | (string | EdgeRule)[] {
  const rules = edges.map((edge, i) => edgeRuleOf(edge, `edges[${i}]`));
  const [only] = rules;
  return rules.length === 1 && typeof only === "string" ? only : rules;
}

function edgeRuleOf({ type, direction, rule, where, select }: EdgeRuleMessage, at: string): string | EdgeRule {
  const own = {
    ...directionOf(direction, `${at}.direction`),
    ...ruleOf(rule),
    ...whereOf(where),
    ...selectionOf(select),
  };
  return Object.keys(own).length === 0 ? type : { type, ...own };
}

export function whereOf(where: Where | undefined): { where?: HopConditions } {
  if (where === undefined) return {};
  const { edge, node } = where;
  return { where: { ...(edge && { edge: conditionOf(edge) }), ...(node && { node: conditionOf(node) }) } };
}

export function selectionOf(selection: Selection | undefined): { select?: HopSelection } {
  if (selection === undefined) return {};
  const { edge, node } = selection;
  return { select: { ...(edge && { edge: edge.names }), ...(node && { node: node.names }) } };
}

export function namesOf(select: PropertyNames | undefined): { select?: readonly string[] } {
  return select === undefined ? {} : { select: select.names };
}

export function conditionOf({ kind }: ConditionMessage): Condition {
  switch (kind?.$case) {
    case "test":
      return testOf(kind.value);
    case "allOf":
      return { and: kind.value.conditions.map(conditionOf) };
    case "anyOf":
      return { or: kind.value.conditions.map(conditionOf) };
    case "negated":
      return { not: conditionOf(kind.value) };
    case undefined:
      throw bad("A condition is empty.", "Set one of test, all_of, any_of and negated.");
  }
}

function testOf({ target, comparison }: Test): Condition {
  return { [targetOf(target)]: comparisonOf(comparison) };
}

function targetOf(target: Test["target"]): string {
  if (target?.$case === "property") return reserved.has(target.value) ? `.${target.value}` : target.value;
  if (target?.value === SeenTime.SEEN_TIME_FIRST_SEEN) return "firstSeen";
  if (target?.value === SeenTime.SEEN_TIME_LAST_SEEN) return "lastSeen";
  throw bad("A test says not what it looks at.", "Set property, or time.");
}

function comparisonOf(comparison: Test["comparison"]): { [name: string]: Comparable | Comparable[] } {
  switch (comparison?.$case) {
    case "equals":
    case "gt":
    case "gte":
    case "lt":
    case "lte":
      return { [comparison.$case]: comparableOf(comparison.value) };
    case "oneOf":
      return { in: comparison.value.values.map(comparableOf) };
    case "present":
      return { present: comparison.value };
    case "prefix":
      return { prefix: comparison.value };
    case undefined:
      throw bad("A test compares with nothing.", "Set one of equals, gt, gte, lt, lte, one_of, present and prefix.");
  }
}

function comparableOf({ kind }: Value): Comparable {
  switch (kind?.$case) {
    case "boolValue":
    case "stringValue":
    case "doubleValue":
      return kind.value;
    case "int64Value": {
      const number = Number(kind.value);
      return Number.isSafeInteger(number) ? number : kind.value.toString();
    }
    case "timestampValue": {
      const ms = Number(kind.value.seconds) * 1_000 + kind.value.nanos / 1_000_000;
      if (Math.abs(ms) > 8.64e15) throw bad("A timestamp is out of range.", "It lies between the years 1 and 9999.");
      // RDG knows milliseconds: what lies between two of them compares as the one before.
      return new Date(Math.floor(ms)).toISOString();
    }
    case "bytesValue":
      return Buffer.from(kind.value).toString("base64");
    default:
      throw bad("A value to compare with is empty, null, a list or a map.", "Use a scalar; present asks for presence.");
  }
}

/** Without the members that are not set. */
export function given<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

function unknownNumber(place: string, number: number): RdgError {
  return new RdgError("invalid", "not_allowed", `${number} is no value of this enumeration.`, { place });
}

function bad(message: string, hint: string): RdgError {
  return new RdgError("invalid", "bad_condition", message, { place: "where", hint });
}
