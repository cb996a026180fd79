// Many nodes or edges by name, in one request.
import { RdgError } from "../../core/errors.ts";
import type { EdgesAnswer, NodesAnswer } from "../../model/questions.ts";
import type { EdgeAnswer, NodeAnswer } from "../../model/traversal.ts";
import type { EdgeRow } from "../../store/port.ts";
import type { JsonReader } from "../json-reader.ts";
import { readId } from "../request.ts";
import { together } from "../siblings.ts";
import { weigh } from "../spending.ts";
import { edgeAnswer, nodeAnswer } from "./answers.ts";
import type { Looking } from "./looking.ts";
import { type Scope, readEdgeType, readNodeType, readSelect, termNames } from "./request.ts";

/** Elements read at once: the store may be elsewhere. */
const atOnce = 100;

export interface NodesPlan {
  readonly type: number;
  /** Distinct. */
  readonly ids: readonly string[];
  readonly select: readonly number[];
}

export function planNodes(json: JsonReader, scope: Scope): NodesPlan {
  json.object(["type", "ids", "select", ...termNames]);
  const type = readNodeType(json.at("type"), scope);
  const ids = new Set(json.at("ids").list("ids", 1, scope.limits.startsMax).map(readId));
  const select = readSelect(json.at("select"), scope.model.nodes, new Set([type]))[type]!;
  return { type, ids: [...ids], select };
}

export async function findNodes(
  { type, ids, select }: NodesPlan,
  looking: Looking,
): Promise<Omit<NodesAnswer, "asOf">> {
  const { model, reader, signal } = looking;
  const nodes: NodeAnswer[] = [];
  for (let from = 0; from < ids.length; from += atOnce) {
    const asked = ids.slice(from, from + atOnce);
    await goOn(looking, asked.length);
    const references = await reader.find(type, asked, signal);
    const known = asked.filter((_, i) => references[i]! >= 0);
    if (known.length === 0) continue;
    const rows = await reader.nodes({ type, references: references.filter((one) => one >= 0), select }, signal);
    for (const column of rows.properties) spend(looking, column);
    for (const [i, id] of known.entries()) {
      if (rows.visible[i] === 1) nodes.push(nodeAnswer(model, type, id, rows, i, select));
    }
  }
  return { nodes };
}

export interface EdgesPlan {
  readonly edge: number;
  /** Distinct. */
  readonly pairs: readonly { readonly from: string; readonly to: string }[];
  readonly select: readonly number[];
}

export function planEdges(json: JsonReader, scope: Scope): EdgesPlan {
  json.object(["type", "pairs", "select", ...termNames]);
  const edge = readEdgeType(json.at("type"), scope);
  const pairs = new Map<string, EdgesPlan["pairs"][number]>();
  for (const pair of json.at("pairs").list("pairs", 1, scope.limits.startsMax)) {
    pair.object(["from", "to"]);
    const [from, to] = [readId(pair.at("from")), readId(pair.at("to"))];
    pairs.set(JSON.stringify([from, to]), { from, to });
  }
  const select = readSelect(json.at("select"), scope.model.edges, new Set([edge]))[edge]!;
  return { edge, pairs: [...pairs.values()], select };
}

export async function findEdges(
  { edge, pairs, select }: EdgesPlan,
  looking: Looking,
): Promise<Omit<EdgesAnswer, "asOf">> {
  const { model, reader, signal } = looking;
  const edges: EdgeAnswer[] = [];
  for (let first = 0; first < pairs.length; first += atOnce) {
    const asked = pairs.slice(first, first + atOnce);
    await goOn(looking, asked.length);
    const rows = await together(
      signal,
      asked.map((pair) => (within) => reader.edge({ edge, ...pair, select }, within)),
    );
    for (const [i, row] of rows.entries()) {
      if (row === undefined) continue;
      spend(looking, row.properties);
      edges.push(edgeAnswer(model, edge, asked[i]!.from, asked[i]!.to, row, select));
    }
  }
  return { edges };
}

/** Elements count like edges that are looked at. */
async function goOn({ spending, signal }: Looking, count: number): Promise<void> {
  spending.scannedLeft -= count;
  const pause = spending.tick(signal);
  if (pause) await pause;
  if (spending.exhausted === "deadline") throw tooLate();
}

/** Nodes and edges that were asked for by name are answered all or not at all. */
export function tooLate(cause?: unknown): RdgError {
  return new RdgError("unavailable", "deadline_exceeded", "The answer was not there within timeoutMs.", {
    place: "/timeoutMs",
    hint: "Ask for less at once, or give more time.",
    retryAfterMs: 1_000,
    cause,
  });
}

function spend({ spending }: Looking, values: EdgeRow["properties"]): void {
  spending.bytesLeft -= weigh(values, 0, values.length);
  if (spending.bytesLeft >= 0) return;
  throw new RdgError("invalid", "answer_too_large", "The properties asked for are too large for one answer.", {
    hint: "Select fewer properties, or ask for fewer elements at once.",
  });
}
