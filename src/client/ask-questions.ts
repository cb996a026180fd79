// What is behind `Questions`: requests in their JSON forms, answers as rows.
import type { AnyEdge, AnyNode } from "../model/define/declaration.ts";
import type {
  CommonNeighboursAnswer,
  CountAnswer,
  EdgesAnswer,
  EdgesAsked,
  NodesAnswer,
  QuestionOptions,
  ShortestPathAnswer,
} from "../model/questions.ts";
import type { HopDirection } from "../model/traversal.ts";
import { edgeRow, nodeRow } from "./decode.ts";
import { Level, edgeRowsOf } from "./levels.ts";
import { boundsJson, conditionsJson, farTypes, selectionJson, walkJson } from "./rules.ts";
import type { Question } from "./transport.ts";
import type { AnyRuleOptions, AnyWalk, Walk } from "./walked-edge.ts";

type AskQuestion = (question: Question, request: object, signal: AbortSignal | undefined) => Promise<unknown>;

interface Options extends AnyRuleOptions, QuestionOptions {
  readonly signal?: AbortSignal;
  readonly direction?: HopDirection;
  readonly budget?: { readonly scanned?: number };
  readonly maxDepth?: number;
  readonly limit?: number;
  readonly edges?: Given;
}

type Given = AnyWalk | "*" | readonly (AnyWalk | "*")[];
type NodeGiven = readonly [node: AnyNode, id: string];

export function questionsOver(ask: AskQuestion): object {
  return {
    async nodes(node: AnyNode, ids: readonly string[], options: Options = {}) {
      const { select } = options;
      const request = { type: node.name, ids, ...(select && { select }), ...besideOf(options) };
      const { nodes, asOf } = (await ask("nodes", request, options.signal)) as NodesAnswer;
      return { nodes: nodes.map((answer) => nodeRow(answer, node)), asOf };
    },
    async edges(edge: AnyEdge, pairs: readonly (readonly [string, string])[], options: Options = {}) {
      const { select } = options;
      const asked = { type: edge.name, pairs: pairs.map(([from, to]) => ({ from, to })), ...(select && { select }) };
      const answer = (await ask("edges", { ...asked, ...besideOf(options) }, options.signal)) as EdgesAnswer;
      const edges = answer.edges.map((row) => ({
        ...edgeRow(row, { id: row.from }, { id: row.to }, edge),
        from: row.from,
        to: row.to,
      }));
      return { edges, asOf: answer.asOf };
    },
    async count(node: AnyNode, ids: readonly string[], edges: Given, options: Options = {}) {
      const { asked } = edgesOf(edges, "out", node, options);
      const request = { from: { type: node.name, ids }, ...asked, ...besideOf(options) };
      const { counts, asOf } = (await ask("count", request, options.signal)) as CountAnswer;
      return { counts, asOf };
    },
    async shortestPath([fromNode, from]: NodeGiven, [toNode, to]: NodeGiven, options: Options = {}) {
      const { maxDepth, limit } = options;
      const { asked, walks } = edgesOf(options.edges ?? "*", "both", undefined, options);
      const request = {
        from: { type: fromNode.name, id: from },
        to: { type: toNode.name, id: to },
        ...asked,
        ...(maxDepth !== undefined && { maxDepth }),
        ...(limit !== undefined && { limit }),
        ...selectionJson(options),
        ...besideOf(options),
      };
      const { path, ...answer } = (await ask("shortest-path", request, options.signal)) as ShortestPathAnswer;
      return { ...answer, ...elementsOf(path ?? { nodes: [], edges: [] }, walks) };
    },
    async commonNeighbours(node: AnyNode, ids: readonly string[], edges: Given, options: Options = {}) {
      const { latest, any } = options;
      const { asked, walks } = edgesOf(edges, "out", node, options);
      const request = {
        of: { type: node.name, ids },
        ...asked,
        ...boundsJson({ ...(latest !== undefined && { latest }), ...(any !== undefined && { any }) }),
        ...selectionJson(options),
        ...besideOf(options),
      };
      const answer = (await ask("common-neighbours", request, options.signal)) as CommonNeighboursAnswer;
      return { ...answer, ...elementsOf(answer, walks) };
    },
  };
}

function besideOf({ waitFor, timeoutMs, cache, budget }: Options): object {
  return {
    ...(budget && { budget }),
    ...(waitFor && { waitFor }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(cache !== undefined && { cache }),
  };
}

/** The edges of a question as JSON, and how they are walked; undefined where no declaration is known. */
function edgesOf(
  edges: Given,
  directionDefault: HopDirection,
  here: AnyNode | undefined,
  options: Options,
): { readonly asked: EdgesAsked; readonly walks: readonly Walk[] | undefined } {
  const { direction, since, until } = options;
  const given = (Array.isArray(edges) ? edges : [edges]) as readonly (AnyWalk | "*")[];
  const known = given.filter((walk): walk is AnyWalk => walk !== "*");
  const own = direction ?? directionDefault;
  const walks = known.map((walk): Walk => (walk.kind === "edge" ? { edge: walk, direction: own } : walk));
  const far = farTypes(walks, here && new Map([[here.name, here]]));
  const asked: EdgesAsked = {
    edge: known.length < given.length ? "*" : known.map(walkJson),
    ...(direction && { direction }),
    ...boundsJson({ ...(since !== undefined && { since }), ...(until !== undefined && { until }) }),
    ...conditionsJson(options, walks, far),
  };
  return { asked, walks: known.length < given.length ? undefined : walks };
}

/** Nodes and edges that lie side by side, as one level. */
function elementsOf(
  { nodes, edges }: Pick<CommonNeighboursAnswer, "nodes" | "edges">,
  walks: readonly Walk[] | undefined,
): { readonly nodes: readonly object[]; readonly edges: readonly object[] } {
  const far =
    walks &&
    farTypes(
      walks.map(({ edge }) => ({ edge, direction: "both" })),
      undefined,
    );
  const level = new Level(0, 1, { nodes, edges }, far);
  return { nodes: level.rows(), edges: edgeRowsOf(level, [], walks) };
}
