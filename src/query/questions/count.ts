// How many edges nodes have: from the store's degrees where nothing narrows the question, else by looking at the edges.
import type { CountAnswer, EdgeCount } from "../../model/questions.ts";
import type { DegreesRequest } from "../../store/port.ts";
import type { JsonReader } from "../json-reader.ts";
import { readId } from "../request.ts";
import { type Branch, type EdgeAsked, edgeNames, readEdges } from "./branches.ts";
import { type Looking, inTime, lookAlong, lookAt } from "./looking.ts";
import { type Scope, readNodeType, termNames } from "./request.ts";

/** A store that keeps no exact degree looks at up to so many edges for each of so many nodes, at one stretch. */
const degreeScanMax = 1_000;
const degreesAtOnce = 50;

export interface CountPlan {
  readonly type: number;
  /** Distinct. */
  readonly ids: readonly string[];
  readonly asked: readonly EdgeAsked[];
}

export function planCount(json: JsonReader, scope: Scope): CountPlan {
  json.object(["from", ...edgeNames, "budget", ...termNames]);
  const from = json.at("from").object(["type", "ids"]);
  const type = readNodeType(from.at("type"), scope);
  const ids = new Set(from.at("ids").list("ids", 1, scope.limits.startsMax).map(readId));
  return { type, ids: [...ids], asked: readEdges(json, scope, type, "out") };
}

/** Edges counted so far, and whether that is all of them. */
interface Tally {
  count: number;
  exact: boolean;
}

export async function countEdges(plan: CountPlan, looking: Looking): Promise<Omit<CountAnswer, "asOf">> {
  const { model, reader, signal } = looking;
  const references = await reader.find(plan.type, plan.ids, signal);
  const known = references.filter((reference) => reference >= 0);
  const perAsked: Tally[][] = [];
  for (const asked of plan.asked) perAsked.push(await tallies(looking, asked, known));
  const counts: EdgeCount[] = [];
  let row = 0;
  for (const [i, id] of plan.ids.entries()) {
    const isKnown = references[i]! >= 0;
    for (const [a, { edge, direction }] of plan.asked.entries()) {
      const { count, exact } = isKnown ? perAsked[a]![row]! : { count: 0, exact: true };
      counts.push({ id, edge: model.edges[edge]!.name, direction, count, ...(exact ? {} : { atLeast: true }) });
    }
    if (isKnown) row++;
  }
  return { counts };
}

async function tallies(looking: Looking, { edge, branches }: EdgeAsked, nodes: Int32Array): Promise<Tally[]> {
  const tally = Array.from(nodes, (): Tally => ({ count: 0, exact: true }));
  for (const branch of branches) {
    // Of an edge type that is walked both ways, a loop is in both lists.
    const isSecond = branch !== branches[0];
    if (needsLook(branch, looking)) await look(looking, branch, nodes, tally, isSecond);
    else await degrees(looking, branch, nodes, tally, isSecond ? edge : undefined);
  }
  return tally;
}

/** Whether degrees do not tell: conditions need a look at each edge, and bounds in time do where the store's lists are not in their order. */
function needsLook({ edgeFilter, nodeFilter, ...times }: Branch, { capabilities }: Looking): boolean {
  if (edgeFilter !== undefined || nodeFilter !== undefined) return true;
  return capabilities.timedDegrees !== true && Object.keys(timesOf(times)).length > 0;
}

type Times = Pick<DegreesRequest, "sinceMs" | "untilMs">;

function timesOf({ sinceMs, untilMs }: Pick<Branch, "sinceMs" | "untilMs">): Times {
  return { ...(sinceMs !== undefined && { sinceMs }), ...(untilMs !== undefined && { untilMs }) };
}

/** @param loopsOf the edge type whose loops were counted already */
async function degrees(
  looking: Looking,
  branch: Branch,
  nodes: Int32Array,
  tally: readonly Tally[],
  loopsOf: number | undefined,
): Promise<void> {
  const { reader, spending, signal } = looking;
  const { edge, direction } = branch;
  const request = { edge, direction, scanMax: degreeScanMax, ...timesOf(branch) };
  for (let from = 0; from < nodes.length; from += degreesAtOnce) {
    const references = nodes.slice(from, from + degreesAtOnce);
    const found =
      spending.exhausted === undefined
        ? await inTime(looking, reader.degrees({ ...request, references }, signal))
        : undefined;
    if (found === undefined) {
      for (const one of tally.slice(from)) one.exact = false;
      return;
    }
    for (const [i, { count, exact }] of found.entries()) {
      const one = tally[from + i]!;
      if (!exact) await look(looking, branch, references.subarray(i, i + 1), [one], loopsOf !== undefined);
      else if (count > 0 && loopsOf !== undefined) {
        const loopCount = await inTime(looking, loops(looking, loopsOf, branch, references[i]!));
        one.count += count - (loopCount ?? 1);
        one.exact &&= loopCount !== undefined;
      } else one.count += count;
    }
    const pause = spending.tick(signal);
    if (pause) await pause;
  }
}

/** 1 when the node has an edge to itself within the branch's bounds in time. */
async function loops(
  { reader, signal }: Looking,
  edge: number,
  { near, sinceMs = -Infinity, untilMs = Infinity }: Branch,
  node: number,
): Promise<number> {
  const id = reader.id(near, node);
  const loop = await reader.edge({ edge, from: id, to: id, select: [] }, signal);
  return loop !== undefined && loop.lastSeenMs >= sinceMs && loop.lastSeenMs < untilMs ? 1 : 0;
}

async function look(
  looking: Looking,
  branch: Branch,
  nodes: Int32Array,
  tally: readonly Tally[],
  skipsLoops: boolean,
): Promise<void> {
  let ended = 0;
  for await (const passed of lookAt(looking, lookAlong(branch), nodes, { order: "any", scanMax: Infinity })) {
    const one = tally[passed.record]!;
    one.count += passed.count;
    if (skipsLoops && passed.neighbours.subarray(0, passed.count).includes(nodes[passed.record]!)) one.count--;
    if (passed.end === undefined) continue;
    if (passed.end !== "complete") one.exact = false;
    ended = passed.record + 1;
  }
  for (const one of tally.slice(ended)) one.exact = false;
}
