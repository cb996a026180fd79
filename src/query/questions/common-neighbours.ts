// What 2 to 10 nodes are all connected with: the request, the search, and the edges that connect them.
import type { CommonNeighboursAnswer, QuestionTruncation } from "../../model/questions.ts";
import type { EdgeAnswer, NodeAnswer } from "../../model/traversal.ts";
import type { EdgeRow, NodeRows } from "../../store/port.ts";
import type { JsonReader } from "../json-reader.ts";
import { readId } from "../request.ts";
import { together } from "../siblings.ts";
import { weigh } from "../spending.ts";
import { edgeAnswer, nodeAnswer } from "./answers.ts";
import { type Branch, edgeNames, readEdges } from "./branches.ts";
import { type Common, type CommonCut, CommonSearch } from "./common-search.ts";
import { type Looking, EdgeProbe, inTime, lookAlong } from "./looking.ts";
import { type Scope, readNodeType, readSelection, termNames } from "./request.ts";

const idsMax = 10;
/** Nodes whose edges are read at once. */
const atOnce = 10;

export interface CommonPlan {
  readonly type: number;
  readonly ids: readonly string[];
  readonly branches: readonly Branch[];
  readonly limit: number;
  readonly order: "latest" | "any";
  readonly select: ReturnType<typeof readSelection>;
}

export function planCommonNeighbours(json: JsonReader, scope: Scope): CommonPlan {
  json.object(["of", ...edgeNames, "limit", "order", "budget", "select", ...termNames]);
  const of = json.at("of").object(["type", "ids"]);
  const type = readNodeType(of.at("type"), scope);
  const ids = of.at("ids").list("ids", 2, idsMax).map(readId);
  const twice = ids.findIndex((id, i) => ids.indexOf(id) < i);
  if (twice >= 0) throw of.at("ids").fail("bad_count", "An id is given twice.", `Give 2 to ${idsMax} different ids.`);
  const asked = readEdges(json, scope, type, "out");
  const branches = asked.flatMap((each) => each.branches);
  const [limit, order] = [json.at("limit"), json.at("order")];
  return {
    type,
    ids,
    branches,
    limit: limit.present ? limit.integer(1, scope.limits.limitMax) : scope.limits.limitDefault,
    order: order.present ? order.oneOf(["latest", "any"]) : "latest",
    select: readSelection(json, scope, new Set(asked.map(({ edge }) => edge)), new Set(branches.map(({ far }) => far))),
  };
}

export async function findCommonNeighbours(
  plan: CommonPlan,
  looking: Looking,
): Promise<Omit<CommonNeighboursAnswer, "asOf">> {
  const { reader, spending, signal } = looking;
  const of = await reader.find(plan.type, plan.ids, signal);
  if (of.includes(-1)) return { nodes: [], edges: [], complete: true };
  const search = new CommonSearch(looking, { ...plan, of });
  await search.run();
  let { cut } = search;
  let isTooLarge = false;
  const details = new Details(plan, looking, of);
  for (let from = 0; from < search.found.length; from += atOnce) {
    await inTime(looking, details.add(search.found.slice(from, from + atOnce)));
    const pause = spending.tick(signal);
    if (pause) await pause;
    const isLast = from + atOnce >= search.found.length;
    isTooLarge = spending.bytesLeft < 0 && !isLast;
    if (spending.exhausted === "deadline" && details.added < search.found.length) cut = "deadline";
    if (isTooLarge || cut === "deadline") break;
  }
  const { nodes, edges } = details;
  if (isTooLarge) return { nodes, edges, complete: false, truncated: tooLarge };
  return {
    nodes,
    edges,
    ...(cut === undefined ? { complete: true } : { complete: false, truncated: told(cut, plan) }),
  };
}

const tooLarge: QuestionTruncation = {
  cause: "budget_bytes",
  reason: "The properties of what was found are too large for one answer: select fewer.",
};

function told(cut: CommonCut, { limit, order }: CommonPlan): QuestionTruncation {
  const more = "there may be more";
  switch (cut) {
    case "limit":
      return {
        cause: "limit",
        reason: `There are more than ${limit}: ${order === "latest" ? "those with the newest edges are answered" : "any of them are answered"}.`,
      };
    case "deadline":
      return { cause: "deadline", reason: `timeoutMs has passed: ${more}.` };
    case "scan":
      return { cause: "scan", reason: `The budget of edges looked at is used up: ${more}, over older edges.` };
    case "candidates":
      return { cause: "scan", reason: `All of the nodes have very many edges: ${more}, over older edges.` };
  }
}

/** Gathers the answer: each node, and the edges to it from each of the nodes asked about. */
class Details {
  readonly nodes: NodeAnswer[] = [];
  readonly edges: EdgeAnswer[] = [];
  /** Of what was found. */
  added = 0;
  readonly #plan: CommonPlan;
  readonly #looking: Looking;
  readonly #of: Int32Array;
  /** Per branch. */
  readonly #probes: readonly EdgeProbe[];

  constructor(plan: CommonPlan, looking: Looking, of: Int32Array) {
    this.#plan = plan;
    this.#looking = looking;
    this.#of = of;
    this.#probes = plan.branches.map(
      (branch) => new EdgeProbe(looking, lookAlong(branch), branch.near, plan.select.edge[branch.edge]!),
    );
  }

  async add(found: readonly Common[]): Promise<void> {
    const { model, reader, signal } = this.#looking;
    const edges: (readonly EdgeAnswer[] | undefined)[] = [];
    const nodes: NodeRows[] = [];
    await together(
      signal,
      found.flatMap((common, i) => [
        async (within: AbortSignal) => void (edges[i] = await this.#edgesTo(common, within)),
        async (within: AbortSignal) => void (nodes[i] = await this.#node(common, within)),
      ]),
    );
    this.added += found.length;
    for (const [i, { type, reference }] of found.entries()) {
      // An edge may have gone away since it was found.
      if (edges[i] === undefined) continue;
      const select = this.#plan.select.node[type]!;
      const rows = nodes[i]!;
      for (const column of rows.properties) this.#spend(column);
      this.nodes.push(nodeAnswer(model, type, reader.id(type, reference), rows, 0, select));
      this.edges.push(...edges[i]);
    }
  }

  #node({ type, reference }: Common, signal: AbortSignal): Promise<NodeRows> {
    const { reader } = this.#looking;
    const references = Int32Array.of(reference);
    return reader.nodes({ type, references, select: this.#plan.select.node[type]! }, signal);
  }

  /** Undefined unless each of the nodes has one. */
  async #edgesTo({ type, reference }: Common, signal: AbortSignal): Promise<EdgeAnswer[] | undefined> {
    const { model } = this.#looking;
    const { branches, select } = this.#plan;
    const edges: EdgeAnswer[] = [];
    for (const node of this.#of) {
      const before = edges.length;
      const loops = new Set<number>();
      for (const [b, { edge, far, near }] of branches.entries()) {
        // A loop is in both directions, and one edge.
        if (far !== type || loops.has(edge)) continue;
        const row = await this.#probes[b]!.find(node, reference, signal);
        if (row === undefined) continue;
        if (near === far && node === reference) loops.add(edge);
        this.#spend(row.properties);
        const [from, to] = this.#probes[b]!.ends(node, reference);
        edges.push(edgeAnswer(model, edge, from, to, row, select.edge[edge]!));
      }
      if (edges.length === before) return undefined;
    }
    return edges;
  }

  #spend(values: EdgeRow["properties"]): void {
    this.#looking.spending.bytesLeft -= weigh(values, 0, values.length);
  }
}
