// Random traversals of a line's graph against their naive twin on the oracle's.
import * as fc from "fast-check";
import { expect } from "vitest";
import type { Random } from "../../src/core/random.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import type { TraverseAnswer, TraverseRequest } from "../../src/model/traversal.ts";
import type { Queries } from "../../src/query/port.ts";
import { planTraversal } from "../../src/query/request.ts";
import { defaultTraversalLimits } from "../../src/query/traversal-plan.ts";
import { type PlainGraph, referenceTraversal } from "../../src/testing/reference-traversal.ts";
import { requestsOf } from "../query/random-graph.ts";
import type { VirtualTime } from "../sim/virtual-time.ts";

export interface Traversed {
  readonly model: GraphModel;
  /** What the graph must be. */
  readonly graph: PlainGraph;
  readonly queries: Queries;
  readonly time: VirtualTime;
  readonly nowMs: number;
}

const requests = 8;

export async function expectTraversals(
  { model, graph, queries, time, nowMs }: Traversed,
  random: Random,
): Promise<void> {
  for (const sampled of fc.sample(requestsOf(withoutOpaque(model)), {
    numRuns: requests,
    seed: random.below(2 ** 31),
  })) {
    const request = aboutWhatThereIs(model, graph, sampled, random);
    const plan = planTraversal(request, model, defaultTraversalLimits, nowMs);
    const asked = JSON.parse(JSON.stringify(request)) as unknown;
    const { json } = await time.until(queries.traverse(asked, { signal: new AbortController().signal }), "an answer");
    const answer = JSON.parse(Buffer.from(json).toString()) as TraverseAnswer;
    expect(answer.levels).toEqual(referenceTraversal(model, graph, plan).levels);
  }
}

/** The request with ids of the graph, mostly. */
function aboutWhatThereIs(
  model: GraphModel,
  { nodes, edges }: PlainGraph,
  request: TraverseRequest,
  random: Random,
): TraverseRequest {
  const { name } = model.nodes.find((node) => node.name === request.from.type)!;
  const starts = edges.flatMap(({ type, from, to }) => {
    const ends = model.edges[type]!;
    return [...(ends.from === name ? [from] : []), ...(ends.to === name ? [to] : [])];
  });
  const known = [...starts, ...nodes.filter(({ type }) => model.nodes[type]!.name === name).map(({ id }) => id)];
  if (known.length === 0) return request;
  const ids = request.from.ids.map((id) => (random.below(8) === 0 ? id : known[random.below(known.length)]!));
  return { ...request, from: { ...request.from, ids } };
}

/** Conditions are about scalars and sets of them. */
function withoutOpaque(model: GraphModel): GraphModel {
  const scalar = <T extends GraphModel["nodes"][number] | GraphModel["edges"][number]>(type: T): T => ({
    ...type,
    properties: type.properties.filter(({ type: { kind } }) => kind !== "array" && kind !== "map" && kind !== "record"),
  });
  return { ...model, nodes: model.nodes.map(scalar), edges: model.edges.map(scalar) };
}
