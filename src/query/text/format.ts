// Prints a traverse request as query text; parsing it again gives a request that means the same. Requests are taken to be valid.
import type { GraphModel } from "../../model/definition.ts";
import type { Comparisons, Condition, HopRequest, TraverseRequest } from "../../model/traversal.ts";

/** Starts and hops only: `budget`, `waitFor` and `timeoutMs` are no part of the text. */
export function formatQuery(request: TraverseRequest, model: GraphModel): string {
  const { type, ids, select } = request.from;
  const chosen = ids.length === 1 ? `id: ${literal(ids[0])}` : `ids: ${literal(ids)}`;
  let path = `(${name(type)} {${chosen}${select ? `, select: ${literal(select)}` : ""}})`;
  const conditions: string[] = [];
  let here = type;
  for (const [i, hop] of (request.hops ?? []).entries()) {
    const { edge, node } = hop.where ?? {};
    const [edgeName, nodeName] = [isEmpty(edge) ? "" : `e${i + 1}`, isEmpty(node) ? "" : `n${i + 1}`];
    const [before, after] = { out: ["-", "->"], in: ["<-", "-"], both: ["-", "-"] }[hop.direction ?? "out"] as [
      string,
      string,
    ];
    here = reachedType(model, hop, here);
    const typed = nodeName !== "" || i === request.hops!.length - 1;
    const label = `${nodeName}${nodeName === "" ? "" : ":"}${typed ? name(here) : ""}`;
    const selected = hop.select?.node ? `${typed ? " " : ""}{select: ${literal(hop.select.node)}}` : "";
    path += `${before}[${edgeName}:${name(hop.edge as string)}${options(hop)}]${after}(${label}${selected})`;
    if (!isEmpty(edge)) conditions.push(...conjuncts(edge, edgeName));
    if (!isEmpty(node)) conditions.push(...conjuncts(node, nodeName));
  }
  return conditions.length === 0 ? path : `${path} WHERE ${conditions.join(" AND ")}`;
}

function reachedType(model: GraphModel, hop: HopRequest, here: string): string {
  const edge = model.edges.find((candidate) => candidate.name === hop.edge);
  if (edge === undefined) return here;
  return hop.direction !== "in" && edge.from === here ? edge.to : edge.from;
}

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
