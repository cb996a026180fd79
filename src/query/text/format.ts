// Prints a traverse request as query text; parsing it again gives a request that means the same. Requests are taken to be valid.
import type { GraphModel } from "../../model/definition.ts";
import type { Comparisons, Condition, HopRequest, TraverseRequest } from "../../model/traversal.ts";
import { reachedRepeatedly, reachedTypes } from "./reach.ts";

/**
 * Starts and hops only: what stands beside them in a request stands beside the text, too. Undefined where only JSON can say it: rules of single edge types, and
 * where a repetition ends.
 */
export function formatQuery(request: TraverseRequest, model: GraphModel): string | undefined {
  const { type, ids, select } = request.from;
  const chosen = ids.length === 1 ? `id: ${literal(ids[0])}` : `ids: ${literal(ids)}`;
  let path = `(${name(type)} {${chosen}${select ? `, select: ${literal(select)}` : ""}})`;
  const conditions: string[] = [];
  let here = [model.nodes.findIndex((node) => node.name === type)];
  for (const [i, hop] of (request.hops ?? []).entries()) {
    const names =
      typeof hop.edge === "string" ? [hop.edge] : hop.edge.map((each) => (typeof each === "string" ? each : undefined));
    if (names.includes(undefined) || hop.repeat?.until !== undefined) return undefined;
    const isAny = hop.edge === "*";
    const direction = hop.direction ?? (isAny ? "both" : "out");
    const edges = model.edges.flatMap((edge, index) => (isAny || names.includes(edge.name) ? [index] : []));
    const leap = { edges, direction, from: here };
    here = hop.repeat ? reachedRepeatedly(model, leap, hop.repeat.times) : reachedTypes(model, leap);
    const { edge, node } = hop.where ?? {};
    const [edgeName, nodeName] = [isEmpty(edge) ? "" : edgeVariable(model, i), isEmpty(node) ? "" : `n${i + 1}`];
    const [before, after] = arrows[direction];
    const typed = here.length === 1 && (nodeName !== "" || i === request.hops!.length - 1);
    const of = typed ? name(model.nodes[here[0]!]!.name) : nodeName === "" ? "" : "*";
    const label = `${nodeName}${nodeName === "" ? "" : ":"}${of}`;
    const selected = hop.select?.node ? `${label === "" ? "" : " "}{select: ${literal(hop.select.node)}}` : "";
    const types = isAny ? "" : `:${names.map((each) => name(each!)).join("|")}`;
    const times = hop.repeat ? `*1..${hop.repeat.times}` : "";
    path += `${before}[${edgeName}${types}${times}${options(hop)}]${after}(${label}${selected})`;
    if (!isEmpty(edge)) conditions.push(...conjuncts(edge, edgeName));
    if (!isEmpty(node)) conditions.push(...conjuncts(node, nodeName));
  }
  return conditions.length === 0 ? path : `${path} WHERE ${conditions.join(" AND ")}`;
}

/** A name alone in brackets must not be that of an edge type. */
function edgeVariable(model: GraphModel, hop: number): string {
  let variable = `e${hop + 1}`;
  while (model.edges.some((edge) => edge.name === variable)) variable += "_";
  return variable;
}

const arrows = { out: ["-", "->"], in: ["<-", "-"], both: ["-", "-"] } as const;

function isEmpty(condition: Condition | undefined): condition is undefined {
  return condition === undefined || Object.keys(condition).length === 0;
}

function options(hop: HopRequest): string {
  const entries: string[] = [];
  if (hop.order !== undefined && hop.limit !== undefined) entries.push(`${hop.order}: ${hop.limit}`);
  else if (hop.order !== undefined) entries.push(`order: ${literal(hop.order)}`);
  else if (hop.limit !== undefined) entries.push(`limit: ${hop.limit}`);
  if (hop.since !== undefined) entries.push(`since: ${literal(hop.since)}`);
  if (hop.until !== undefined) entries.push(`until: ${literal(hop.until)}`);
  if (hop.select?.edge) entries.push(`select: ${literal(hop.select.edge)}`);
  return entries.length === 0 ? "" : ` {${entries.join(", ")}}`;
}

/** The parts of a condition that all must hold, each as text that AND may join. */
function conjuncts(condition: Condition, variable: string): string[] {
  return Object.entries(condition).flatMap(([key, value]): string[] => {
    if (key === "and") return (value as readonly Condition[]).flatMap((part) => conjuncts(part, variable));
    if (key === "not") return [`NOT ${joined(conjuncts(value as Condition, variable))}`];
    if (key !== "or") return tests(`${variable}.${name(key)}`, value);
    const alternatives = (value as readonly Condition[]).map((part) => conjuncts(part, variable));
    return alternatives.length === 1 ? alternatives[0]! : [`(${alternatives.map(joined).join(" OR ")})`];
  });
}

function joined(parts: readonly string[]): string {
  if (parts.length === 0) return "TRUE";
  return parts.length === 1 ? parts[0]! : `(${parts.join(" AND ")})`;
}

const signs = { equals: "=", gt: ">", gte: ">=", lt: "<", lte: "<=" };

function tests(operand: string, value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [`${operand} = ${literal(value)}`];
  const { in: values, present, prefix, ...compared } = value as Comparisons;
  const parts = Object.entries(compared).map(([operator, bound]) => {
    return `${operand} ${signs[operator as keyof typeof signs]} ${literal(bound)}`;
  });
  if (values !== undefined) parts.push(`${operand} IN ${literal(values)}`);
  if (present !== undefined) parts.push(present ? `exists(${operand})` : `NOT exists(${operand})`);
  if (prefix !== undefined) parts.push(`${operand} STARTS WITH ${literal(prefix)}`);
  return parts;
}

function name(text: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text) ? text : `\`${text.replaceAll("`", "``")}\``;
}

function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "string") return String(value);
  return `'${JSON.stringify(value).slice(1, -1).replaceAll("'", "\\'")}'`;
}
