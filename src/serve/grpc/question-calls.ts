// The questions of rdg.v1.GraphService beside traversals: one message asks, one answers.
import type { GraphModel } from "../../model/definition.ts";
import type { MessageFns } from "../../model/rpc/generated/rdg/v1/element.ts";
import {
  CommonNeighboursRequest,
  CommonNeighboursResponse,
  CountRequest,
  CountResponse,
  GetEdgesRequest,
  GetEdgesResponse,
  GetNodesRequest,
  GetNodesResponse,
  type QuestionOptions,
  ShortestPathRequest,
  ShortestPathResponse,
} from "../../model/rpc/generated/rdg/v1/question.ts";
import type { Queries, QueryContext } from "../../query/port.ts";
import type { ServerBounds } from "../server.ts";
import type { Calls } from "./calls.ts";
import { ElementMessages } from "./elements.ts";
import type { RequestShape } from "./field-path.ts";
import {
  commonNeighboursRequestOf,
  countRequestOf,
  edgesRequestOf,
  nodesRequestOf,
  shortestPathRequestOf,
} from "./requests.ts";
import type { Handler } from "./served-call.ts";
import { graphMethods } from "./services.ts";
import { directionMessage, truncationOf } from "./summary.ts";

export interface QuestionCallsOptions {
  readonly model: GraphModel;
  readonly queries: Queries;
  readonly bounds: Pick<ServerBounds, "queries" | "waiters" | "answers" | "otherBodies">;
}

/** How one question is read, asked and answered. */
interface Question<Q, A> {
  readonly name: keyof typeof graphMethods;
  readonly request: Pick<MessageFns<Q>, "decode">;
  readonly shape: RequestShape;
  readonly json: (request: Q, leftMs: number | undefined) => object;
  readonly ask: (json: object, context: QueryContext) => Promise<A>;
  readonly encode: (answer: A) => Uint8Array;
}

export function questionCalls(calls: Calls, { queries, bounds, model }: QuestionCallsOptions) {
  const elements = new ElementMessages(model);
  const call = <Q extends { readonly options: QuestionOptions | undefined }, A>(question: Question<Q, A>): Handler => {
    const { name, request, shape, json, ask, encode } = question;
    const method = { path: graphMethods[name].path, request, shape, bodies: bounds.otherBodies };
    return calls.unary(method, async (message, { query, leftMs }) => {
      bounds.answers.expect(1);
      const waits = (message.options?.waitFor.length ?? 0) > 0;
      const asked = json(message, leftMs);
      return encode(await (waits ? bounds.waiters : bounds.queries).run(() => ask(asked, query)));
    });
  };
  return {
    GetNodes: call({
      name: "GetNodes",
      request: GetNodesRequest,
      shape: "nodes",
      json: nodesRequestOf,
      ask: (json, context) => queries.nodes(json, context),
      encode: ({ nodes, asOf }) =>
        GetNodesResponse.encode({ nodes: nodes.map((node) => elements.node(node)), asOf: [...asOf] }).finish(),
    }),
    GetEdges: call({
      name: "GetEdges",
      request: GetEdgesRequest,
      shape: "edges",
      json: edgesRequestOf,
      ask: (json, context) => queries.edges(json, context),
      encode: ({ edges, asOf }) =>
        GetEdgesResponse.encode({ edges: edges.map((edge) => elements.edge(edge)), asOf: [...asOf] }).finish(),
    }),
    Count: call({
      name: "Count",
      request: CountRequest,
      shape: "count",
      json: countRequestOf,
      ask: (json, context) => queries.count(json, context),
      encode: ({ counts, asOf }) =>
        CountResponse.encode({
          counts: counts.map(({ id, edge, direction, count, atLeast = false }) => ({
            id,
            edge,
            direction: directionMessage(direction),
            count: BigInt(count),
            atLeast,
          })),
          asOf: [...asOf],
        }).finish(),
    }),
    ShortestPath: call({
      name: "ShortestPath",
      request: ShortestPathRequest,
      shape: "shortestPath",
      json: shortestPathRequestOf,
      ask: (json, context) => queries.shortestPath(json, context),
      encode: ({ found, length, path, complete, truncated, asOf }) =>
        ShortestPathResponse.encode({
          found,
          length,
          nodes: path?.nodes.map((node) => elements.node(node)) ?? [],
          edges: path?.edges.map((edge) => elements.edge(edge)) ?? [],
          complete,
          truncated: truncated && truncationOf(truncated),
          asOf: [...asOf],
        }).finish(),
    }),
    CommonNeighbours: call({
      name: "CommonNeighbours",
      request: CommonNeighboursRequest,
      shape: "commonNeighbours",
      json: commonNeighboursRequestOf,
      ask: (json, context) => queries.commonNeighbours(json, context),
      encode: ({ nodes, edges, complete, truncated, asOf }) =>
        CommonNeighboursResponse.encode({
          nodes: nodes.map((node) => elements.node(node)),
          edges: edges.map((edge) => elements.edge(edge)),
          complete,
          truncated: truncated && truncationOf(truncated),
          asOf: [...asOf],
        }).finish(),
    }),
  };
}
