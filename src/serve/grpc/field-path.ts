// Places in a request: from the JSON pointer that the query stage tells to the path of the field in the message that was sent.

/** Which message the request was. */
export type RequestShape = "traverse" | "nodes" | "edges" | "count" | "shortestPath" | "commonNeighbours" | "produce";

/** A member of a JSON object: the field's path, and what is in it. */
type Member = readonly [field: string, inner?: Shape];
type Shape =
  | { readonly kind: "object"; readonly members: Readonly<Record<string, Member>> }
  | { readonly kind: "list"; readonly item?: Shape }
  | { readonly kind: "condition" };

const list = (item?: Shape): Shape => (item ? { kind: "list", item } : { kind: "list" });
const object = (members: Readonly<Record<string, Member>>): Shape => ({ kind: "object", members });

const condition: Shape = { kind: "condition" };
const names = object({});
const rule = { limit: ["limit"], order: ["order"], since: ["since"], until: ["until"] } as const;
const ruled = Object.fromEntries(Object.keys(rule).map((name): [string, Member] => [name, [`rule.${name}`]]));
const where: Member = ["where", object({ edge: ["edge", condition], node: ["node", condition] })];
const selectNames: Member = ["select.names", list()];
const selection: Member = ["select", object({ edge: ["edge.names", list()], node: ["node.names", list()] })];
const edges: Member = [
  "edges",
  list(object({ type: ["type"], direction: ["direction"], ...ruled, where, select: selection })),
];
const budget: Member = ["budget", object({ edges: ["edges"], scanned: ["scanned"], bytes: ["bytes"] })];
const nodeSet = object({ type: ["type"], ids: ["ids", list()] });
const asked = { edge: edges, direction: ["direction"], where, budget } as const;
const options = {
  waitFor: ["options.wait_for", list()],
  timeoutMs: ["options.timeout_ms"],
  cache: ["options.cache"],
} as const;
const hop = object({
  edge: edges,
  direction: ["direction"],
  ...ruled,
  where,
  select: selection,
  repeat: ["repeat", object({ times: ["times"], until: ["until", condition] })],
});

const shapes: Readonly<Record<RequestShape, Shape>> = {
  traverse: object({
    from: ["start", object({ type: ["type"], ids: ["ids", list()], select: selectNames })],
    continue: ["continuation"],
    query: ["query"],
    hops: ["hops", list(hop)],
    defaults: ["defaults", object(rule)],
    budget,
    enrich: ["enrich", list()],
    cache: ["cache"],
    explain: ["explain"],
    waitFor: ["wait_for", list()],
    timeoutMs: ["timeout_ms"],
  }),
  nodes: object({ type: ["type"], ids: ["ids", list()], select: selectNames, ...options }),
  edges: object({
    type: ["type"],
    pairs: ["pairs", list(object({ from: ["from_id"], to: ["to_id"] }))],
    select: selectNames,
    ...options,
  }),
  count: object({ from: ["start", nodeSet], ...asked, since: ["since"], until: ["until"], ...options }),
  shortestPath: object({
    from: ["start", object({ type: ["type"], id: ["id"] })],
    to: ["end", object({ type: ["type"], id: ["id"] })],
    maxDepth: ["max_depth"],
    ...asked,
    ...ruled,
    select: selection,
    ...options,
  }),
  commonNeighbours: object({ of: ["of", nodeSet], ...asked, ...ruled, select: selection, ...options }),
  produce: names,
};

/** What is no pointer is left as it is; what leads beyond the known members ends with the last that is known. */
export function fieldPath(place: string, of: RequestShape): string {
  if (!place.startsWith("/")) return place;
  const segments = place
    .slice(1)
    .split("/")
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
  let path = "";
  let shape: Shape | undefined = shapes[of];
  for (let i = 0; i < segments.length && shape !== undefined; i++) {
    const segment = segments[i]!;
    if (shape.kind === "condition") return joined(path, conditionPath(segments.slice(i)));
    if (shape.kind === "list") {
      // A list of one is written as its item: then there is no index to tell.
      if (!/^\d+$/.test(segment)) break;
      path += `[${segment}]`;
      shape = shape.item;
      continue;
    }
    const member: Member | undefined = Object.hasOwn(shape.members, segment) ? shape.members[segment] : undefined;
    if (member === undefined) break;
    path = joined(path, member[0]);
    shape = member[1];
  }
  return path;
}

function conditionPath(segments: readonly string[]): string {
  const [first, second, ...rest] = segments;
  if (first === undefined) return "";
  if (first === "and" || first === "or") {
    const of = first === "and" ? "all_of.conditions" : "any_of.conditions";
    return second === undefined ? of : joined(`${of}[${second}]`, conditionPath(rest));
  }
  if (first === "not") return joined("negated", conditionPath(segments.slice(1)));
  if (second === undefined) return "test";
  const index = rest[0] === undefined ? "" : `.values[${rest[0]}]`;
  return second === "in" ? `test.one_of${index}` : `test.${second}`;
}

function joined(path: string, more: string): string {
  return path === "" || more === "" ? path + more : `${path}.${more}`;
}
