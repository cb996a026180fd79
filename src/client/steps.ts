// A traversal as it is built, hop by hop: each hop is typed by the edge that it is given, and knows nothing of the rest of the graph.
import type { AnyEdge, AnyNode, Duration } from "../model/define/declaration.ts";
import type { EdgeDef, NodeDef, NoProperties } from "../model/define/element.ts";
import type { ExprOf, Predicate, TimeExpr } from "../model/define/expression.ts";
import type { Properties, PropertyFields } from "../model/define/field.ts";
import type { HopDirection, HopRequest, TraverseAnswer, TraverseRequest } from "../model/traversal.ts";
import { type Answer, type AnswerShape, type EdgeRow, TypedAnswer } from "./answer.ts";
import { conditionOfCallback } from "./filter.ts";

/** Properties, and the times of the edge or node, as expressions. */
export type EdgeFilter<F extends PropertyFields> = (
  row: { readonly [K in keyof F]: ExprOf<F[K], undefined> } & {
    readonly [K in Exclude<"firstSeen" | "lastSeen", keyof F>]: TimeExpr<Date>;
  },
) => Predicate;

type PropertiesOf<D> = D extends NodeDef<string, infer F> ? F : NoProperties;

export interface HopOptions<F extends PropertyFields, Reached, S extends keyof F> {
  /** Up to so many edges per node: the newest, or any. Default: the newest, as many as the server's default. */
  readonly latest?: number;
  readonly any?: number;
  /** On the edge's last seen: a moment or an age; `since` inclusive, `until` exclusive. */
  readonly since?: Date | Duration;
  readonly until?: Date | Duration;
  readonly where?: EdgeFilter<F>;
  readonly whereNode?: EdgeFilter<PropertiesOf<Reached>>;
  readonly select?: readonly S[];
  readonly selectNode?: readonly (keyof PropertiesOf<Reached>)[];
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** For waiting and walking, on the server. */
  readonly timeoutMs?: number;
  /** Positions that `produce` returned: the answer has seen these events. */
  readonly waitFor?: readonly string[];
}

export interface Steps<Here extends AnyNode, Hops extends readonly unknown[]> {
  out<N extends string, B extends AnyNode, F extends PropertyFields, S extends keyof F = keyof F>(
    edge: EdgeDef<N, Here, B, F>,
    options?: HopOptions<F, B, S>,
  ): Steps<B, [...Hops, EdgeRow<Here, B, Pick<Properties<F>, S>>]>;
  in<N extends string, A extends AnyNode, F extends PropertyFields, S extends keyof F = keyof F>(
    edge: EdgeDef<N, A, Here, F>,
    options?: HopOptions<F, A, S>,
  ): Steps<A, [...Hops, EdgeRow<A, Here, Pick<Properties<F>, S>>]>;
  /** For edges between nodes of one type. */
  both<N extends string, F extends PropertyFields, S extends keyof F = keyof F>(
    edge: EdgeDef<N, Here, Here, F>,
    options?: HopOptions<F, Here, S>,
  ): Steps<Here, [...Hops, EdgeRow<Here, Here, Pick<Properties<F>, S>>]>;
  /** The request as JSON. */
  request(): TraverseRequest;
  run(options?: RunOptions): Promise<Answer<Here, Hops>>;
}

interface AnyHopOptions {
  readonly latest?: number;
  readonly any?: number;
  readonly since?: Date | string;
  readonly until?: Date | string;
  readonly where?: (row: never) => unknown;
  readonly whereNode?: (row: never) => unknown;
  readonly select?: readonly string[];
  readonly selectNode?: readonly string[];
}

/** Sends a request or a continuation. */
export type Ask = (request: object, signal: AbortSignal | undefined) => Promise<TraverseAnswer>;

/** What is behind `Steps`; each step makes a new one. */
export class TraversalSteps {
  private readonly ask: Ask;
  private readonly ids: readonly string[];
  private readonly shape: AnswerShape;
  private readonly hops: readonly HopRequest[];

  constructor(ask: Ask, ids: readonly string[], shape: AnswerShape, hops: readonly HopRequest[]) {
    this.ask = ask;
    this.ids = ids;
    this.shape = shape;
    this.hops = hops;
  }

  out(edge: AnyEdge, options: AnyHopOptions = {}): TraversalSteps {
    return this.hop(edge, "out", edge.to, options);
  }

  in(edge: AnyEdge, options: AnyHopOptions = {}): TraversalSteps {
    return this.hop(edge, "in", edge.from, options);
  }

  both(edge: AnyEdge, options: AnyHopOptions = {}): TraversalSteps {
    return this.hop(edge, "both", edge.to, options);
  }

  request(): TraverseRequest {
    return { from: { type: this.shape.start.name, ids: this.ids }, hops: this.hops };
  }

  async run({ signal, timeoutMs, waitFor }: RunOptions = {}): Promise<TypedAnswer> {
    const bounds = timeoutMs === undefined ? {} : { timeoutMs };
    const answer = await this.ask({ ...this.request(), ...bounds, ...(waitFor && { waitFor }) }, signal);
    return new TypedAnswer(this.shape, [answer], (token) => this.ask({ continue: token, ...bounds }, signal));
  }

  private hop(edge: AnyEdge, direction: HopDirection, reached: AnyNode, options: AnyHopOptions): TraversalSteps {
    const shape = { start: this.shape.start, hops: [...this.shape.hops, { edge, reached }] };
    const request: HopRequest = {
      edge: edge.name,
      ...(direction === "out" ? {} : { direction }),
      ...limitOf(options),
      ...(options.since === undefined ? {} : { since: momentOf(options.since) }),
      ...(options.until === undefined ? {} : { until: momentOf(options.until) }),
      ...whereOf(options, edge, reached),
      ...selectOf(options),
    };
    return new TraversalSteps(this.ask, this.ids, shape, [...this.hops, request]);
  }
}

function limitOf({ latest, any }: AnyHopOptions): Partial<HopRequest> {
  if (any !== undefined) return { order: "any", limit: any };
  return latest === undefined ? {} : { order: "latest", limit: latest };
}

function momentOf(moment: Date | string): string {
  return typeof moment === "string" ? moment : moment.toISOString();
}

function whereOf({ where, whereNode }: AnyHopOptions, edge: AnyEdge, reached: AnyNode): Partial<HopRequest> {
  if (!where && !whereNode) return {};
  return {
    where: {
      ...(where && { edge: conditionOfCallback(where, edge.model.properties) }),
      ...(whereNode && { node: conditionOfCallback(whereNode, reached.model.properties) }),
    },
  };
}

function selectOf({ select, selectNode }: AnyHopOptions): Partial<HopRequest> {
  if (!select && !selectNode) return {};
  return { select: { ...(select && { edge: select }), ...(selectNode && { node: selectNode }) } };
}
