// A shortest path between two nodes: the request, the search, and of equally short paths always the same one.
//
// Of equally short paths the answer is the one whose nodes come first, compared one by one from `from` on: by node type in the order of the definition, then by
// id in the order of its UTF-8 bytes. Between two nodes it takes the edge whose type comes first in the request (with `*`, in the definition), out before in.
import { RdgError } from "../../core/errors.ts";
import { compareCodePoints } from "../../model/avro/record-encoder.ts";
import type { QuestionTruncation, ShortestPathAnswer } from "../../model/questions.ts";
import type { EdgeAnswer, NodeAnswer } from "../../model/traversal.ts";
import type { JsonReader } from "../json-reader.ts";
import { readId } from "../request.ts";
import { edgeAnswer, nodeAnswer } from "./answers.ts";
import { type Branch, edgeNames, readEdges } from "./branches.ts";
import { type Looking, lookAlong, lookAt } from "./looking.ts";
import type { Steps } from "./node-table.ts";
import { type PathQuestion, PathSearch } from "./path-search.ts";
import { type Scope, readNodeType, readSelection, termNames } from "./request.ts";

const depthDefault = 6;
const depthMaxAllowed = 12;
const limitDefault = 1_000;
/** How often a path is looked for again because one of its edges went away before it was read. */
const attemptsMax = 3;
/** Steps looked at between looks at the clock. */
const stepsAtOnce = 10_000;

export interface PathPlan {
  readonly from: { readonly type: number; readonly id: string };
  readonly to: { readonly type: number; readonly id: string };
  readonly branches: readonly Branch[];
  readonly depthMax: number;
  readonly limit: number;
  readonly typeDistances: PathQuestion["typeDistances"];
  readonly select: ReturnType<typeof readSelection>;
}

export function planShortestPath(json: JsonReader, scope: Scope): PathPlan {
  json.object(["from", "to", ...edgeNames, "maxDepth", "limit", "budget", "select", ...termNames]);
  const [from, to] = [readEnd(json.at("from"), scope), readEnd(json.at("to"), scope)];
  const [depth, limit] = [json.at("maxDepth"), json.at("limit")];
  const depthMax = depth.present ? depth.integer(1, depthMaxAllowed) : depthDefault;
  const asked = readEdges(json, scope, undefined, "both");
  const branches = asked.flatMap((each) => each.branches);
  const typeDistances: PathQuestion["typeDistances"] = [
    distancesFrom(from.type, scope, branches, false),
    distancesFrom(to.type, scope, branches, true),
  ];
  const isItself = from.type === to.type && from.id === to.id;
  const fewest = branches.map(({ near, far }) => (near === from.type ? 1 + typeDistances[1][far]! : Infinity));
  if (!isItself && Math.min(...fewest) > depthMax) {
    throw impossible(json.at("edge"), scope, from.type, to.type, depthMax);
  }
  const reached = branches.map(({ far }) => far);
  return {
    from,
    to,
    branches,
    depthMax,
    limit: limit.present ? limit.integer(1, scope.limits.limitMax) : limitDefault,
    typeDistances,
    select: readSelection(
      json,
      scope,
      new Set(asked.map(({ edge }) => edge)),
      new Set([from.type, to.type, ...reached]),
    ),
  };
}

function readEnd(json: JsonReader, scope: Scope): PathPlan["from"] {
  json.object(["type", "id"]);
  return { type: readNodeType(json.at("type"), scope), id: readId(json.at("id")) };
}

/** Per node type: the fewest edges from a node of type `type`, as the schema is. */
function distancesFrom(type: number, { model }: Scope, branches: readonly Branch[], backwards: boolean): number[] {
  const distances = model.nodes.map(() => Infinity);
  distances[type] = 0;
  let reached = [type];
  for (let distance = 1; reached.length > 0; distance++) {
    const next = new Set<number>();
    for (const { near, far } of branches) {
      const [here, there] = backwards ? [far, near] : [near, far];
      if (reached.includes(here) && distances[there] === Infinity) next.add(there);
    }
    reached = [...next];
    for (const one of reached) distances[one] = distance;
  }
  return distances;
}

function impossible(json: JsonReader, { model }: Scope, from: number, to: number, depthMax: number): RdgError {
  const [start, end] = [model.nodes[from]!.name, model.nodes[to]!.name];
  return json.fail(
    "impossible_path",
    `The edge types asked for do not lead from "${start}" to "${end}" within ${depthMax} edges.`,
    "Ask for more edge types, for both directions, or for a greater maxDepth.",
  );
}

export async function findShortestPath(plan: PathPlan, looking: Looking): Promise<Omit<ShortestPathAnswer, "asOf">> {
  const { reader, signal } = looking;
  const [from] = await reader.find(plan.from.type, [plan.from.id], signal);
  const [to] = await reader.find(plan.to.type, [plan.to.id], signal);
  if (from! < 0 || to! < 0) return { found: false, complete: true };
  if (plan.from.type === plan.to.type && from === to) return findItself(plan, looking, from!);
  const question: PathQuestion = {
    ...plan,
    from: { type: plan.from.type, reference: from! },
    to: { type: plan.to.type, reference: to! },
  };
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const search = new PathSearch(looking, question);
    await search.run();
    const outcome = {
      complete: search.complete,
      ...(search.complete ? {} : { truncated: truncation(plan, looking, search) }),
    };
    if (search.length === undefined) return { found: false, ...outcome };
    const path = await readPath(plan, looking, search, await choosePath(looking, search));
    if (path !== undefined) return { found: true, length: search.length, path, ...outcome };
  }
  throw new RdgError("unavailable", "changed_meanwhile", "Edges of the path went away while it was read.", {
    hint: "Ask again.",
    retryAfterMs: 1_000,
  });
}

function truncation({ limit }: PathPlan, { spending }: Looking, { length, stopped }: PathSearch): QuestionTruncation {
  const missing = length === undefined ? "there may be a path" : "there may be a shorter path";
  const { exhausted } = spending;
  if (!stopped || exhausted === undefined) {
    const reason = `Nodes with more than ${limit} edges of a type and direction were not looked through: ${missing} over their older edges.`;
    return { cause: "limit", reason };
  }
  if (exhausted === "deadline") return { cause: "deadline", reason: `timeoutMs has passed: ${missing}.` };
  return { cause: "scan", reason: `The budget of edges looked at is used up: ${missing}.` };
}

/** The path without edges, where there is such a node: visible, or with an edge of those asked for. */
async function findItself(
  { from, branches, select }: PathPlan,
  looking: Looking,
  reference: number,
): Promise<Omit<ShortestPathAnswer, "asOf">> {
  const { model, reader, signal } = looking;
  const references = Int32Array.of(reference);
  const selected = select.node[from.type]!;
  const rows = await reader.nodes({ type: from.type, references, select: selected }, signal);
  let exists = rows.visible[0] === 1;
  let allSeen = true;
  for (const branch of branches) {
    if (exists || branch.near !== from.type) continue;
    let isSeen = false;
    for await (const { count, end } of lookAt(looking, lookAlong(branch), references, {
      order: "latest",
      scanMax: 100,
    })) {
      exists ||= count > 0;
      isSeen = end === "complete";
    }
    allSeen &&= isSeen;
  }
  if (!exists && !allSeen) return { found: false, complete: false, truncated: unseen(looking) };
  if (!exists) return { found: false, complete: true };
  const nodes = [nodeAnswer(model, from.type, from.id, rows, 0, selected)];
  return { found: true, length: 0, path: { nodes, edges: [] }, complete: true };
}

function unseen({ spending }: Looking): QuestionTruncation {
  const cause = spending.exhausted === "deadline" ? "deadline" : "scan";
  return { cause, reason: "The node was never upserted, and not all edges that would show it were looked at." };
}

/** A way on from a node of a shortest path. */
interface Way {
  readonly node: number;
  readonly branch: number;
  /** Which side's step it is. */
  readonly side: 0 | 1;
}

/** The nodes of the path that comes first, and the branch that leads to each. */
async function choosePath(looking: Looking, search: PathSearch): Promise<Way[]> {
  const [left, right] = search.sides;
  const meetings = new Set(search.meetings);
  const ways = [await waysOf(looking, left.steps, meetings, 0), await waysOf(looking, right.steps, meetings, 1)];
  // Numbers are given in order of arrival: those of the two ends came first.
  const [start, end] = [0, 1];
  const path: Way[] = [{ node: start, branch: -1, side: 0 }];
  let isMet = meetings.has(start);
  let isOnRight = false;
  for (let node = start; node !== end;) {
    const onward = [
      ...(isOnRight ? [] : (ways[0]!.get(node) ?? [])),
      ...(isMet || isOnRight ? (ways[1]!.get(node) ?? []) : []),
    ];
    const first = await firstOf(looking, search, onward);
    node = first.node;
    isMet = meetings.has(node);
    isOnRight = !isMet && first.side === 1;
    path.push(first);
  }
  return path;
}

/** The steps that lie between where a side began and where the sides met, by the node that they lead on from (towards `to`). */
async function waysOf(
  { spending, signal }: Looking,
  { count, nearer, farther, branches }: Steps,
  meetings: ReadonlySet<number>,
  side: 0 | 1,
): Promise<Map<number, Way[]>> {
  const onPath = new Set(meetings);
  const ways = new Map<number, Way[]>();
  for (let i = count - 1; i >= 0; i--) {
    if (i % stepsAtOnce === 0) await spending.tick(signal);
    const [near, far] = [nearer[i]!, farther[i]!];
    if (!onPath.has(far)) continue;
    onPath.add(near);
    const [from, to] = side === 0 ? [near, far] : [far, near];
    const known = ways.get(from) ?? [];
    ways.set(from, known);
    known.push({ node: to, branch: branches[i]!, side });
  }
  return ways;
}

async function firstOf({ reader, spending, signal }: Looking, search: PathSearch, ways: readonly Way[]): Promise<Way> {
  const { types, references } = search.nodes;
  const idOf = ({ node }: Way): string => reader.id(types[node]!, references[node]!);
  let first = ways[0]!;
  let firstId = idOf(first);
  for (const [i, way] of ways.entries()) {
    if (i % stepsAtOnce === 0) await spending.tick(signal);
    const id = idOf(way);
    const order = types[way.node]! - types[first.node]! || compareCodePoints(id, firstId) || way.branch - first.branch;
    if (order < 0) [first, firstId] = [way, id];
  }
  return first;
}

/** Undefined when one of the edges is not there any more. */
async function readPath(
  { branches, select }: PathPlan,
  { model, reader, signal }: Looking,
  { nodes: { types, references } }: PathSearch,
  path: readonly Way[],
): Promise<ShortestPathAnswer["path"] | undefined> {
  const idOf = (node: number): string => reader.id(types[node]!, references[node]!);
  const nodes: NodeAnswer[] = [];
  const edges: EdgeAnswer[] = [];
  for (const [i, { node, branch }] of path.entries()) {
    const type = types[node]!;
    const selected = select.node[type]!;
    const rows = await reader.nodes({ type, references: Int32Array.of(references[node]!), select: selected }, signal);
    nodes.push(nodeAnswer(model, type, idOf(node), rows, 0, selected));
    if (i === 0) continue;
    const { edge, direction } = branches[branch]!;
    const [near, far] = [idOf(path[i - 1]!.node), idOf(node)];
    const [from, to] = direction === "out" ? [near, far] : [far, near];
    const row = await reader.edge({ edge, from, to, select: select.edge[edge]! }, signal);
    if (row === undefined) return undefined;
    edges.push(edgeAnswer(model, edge, from, to, row, select.edge[edge]!));
  }
  return { nodes, edges };
}
