// What is behind `Steps`: each step makes a new one, with the request so far and what its answer's rows are decoded by.
import type { AnyNode } from "../model/define/declaration.ts";
import type { AnyAskedEnrichment } from "../model/define/enrichment.ts";
import type {
  BudgetRequest,
  Condition,
  Explanation,
  HopDirection,
  HopRequest,
  HopSelection,
  StartRequest,
  TraverseAnswer,
  TraverseRequest,
} from "../model/traversal.ts";
import type { AnyEdgeRow } from "./decode.ts";
import { conditionOfCallback } from "./filter.ts";
import type { AnswerShape, HopShape } from "./levels.ts";
import { type ReadParts, rowPages } from "./row-pages.ts";
import { type NodeTypes, boundsJson, conditionsJson, farTypes, selectionJson, walkJson } from "./rules.ts";
import { TypedAnswer } from "./typed-answer.ts";
import type { AnyBounds, AnyRuleOptions, AnyWalk, Walk } from "./walked-edge.ts";

interface HopOptions extends AnyRuleOptions {
  readonly repeat?: { readonly times: number; readonly until?: (row: never) => unknown };
}

interface WildHopOptions extends AnyBounds {
  readonly direction?: HopDirection;
  readonly where?: { readonly edge?: Condition; readonly node?: Condition };
  readonly select?: HopSelection;
  readonly repeat?: { readonly times: number; readonly until?: Condition };
}

export interface AnyRunOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly waitFor?: readonly string[];
  readonly cache?: boolean;
  readonly defaults?: AnyBounds;
  readonly budget?: BudgetRequest;
  readonly profile?: boolean;
}

/** Sends a request or a continuation. */
export interface Asking {
  ask(request: object, signal: AbortSignal | undefined): Promise<TraverseAnswer>;
  /** The same, in parts as they come. */
  parts(signal: AbortSignal | undefined): ReadParts;
  /** The same, once the answer is there. */
  whole(request: object, signal: AbortSignal | undefined): ReturnType<ReadParts>;
}

interface Built {
  readonly start: Omit<StartRequest, "type">;
  readonly shape: AnswerShape & { readonly start: AnyNode };
  readonly hops: readonly HopRequest[];
}

export class TraversalSteps {
  readonly #asking: Asking;
  readonly #built: Built;

  constructor(asking: Asking, built: Built) {
    this.#asking = asking;
    this.#built = built;
  }

  out(edges: AnyWalk | readonly AnyWalk[], options?: HopOptions): TraversalSteps {
    return this.#hop(edges, "out", options);
  }

  in(edges: AnyWalk | readonly AnyWalk[], options?: HopOptions): TraversalSteps {
    return this.#hop(edges, "in", options);
  }

  both(edges: AnyWalk | readonly AnyWalk[], options?: HopOptions): TraversalSteps {
    return this.#hop(edges, "both", options);
  }

  any({ direction, where, select, repeat, ...bounds }: WildHopOptions = {}): TraversalSteps {
    const request = {
      edge: "*",
      ...(direction && { direction }),
      ...boundsJson(bounds),
      ...(where && { where }),
      ...(select && { select }),
      ...(repeat && { repeat }),
    };
    return this.#with(request, { walks: undefined, far: undefined, repeats: repeat !== undefined });
  }

  enrich(...enrichments: readonly AnyAskedEnrichment[]): TraversalSteps {
    const { shape } = this.#built;
    const all = [...new Set([...shape.enrichments, ...enrichments])];
    return new TraversalSteps(this.#asking, { ...this.#built, shape: { ...shape, enrichments: all } });
  }

  request(options: AnyRunOptions = {}): TraverseRequest {
    const { start, shape, hops } = this.#built;
    const { enrichments } = shape;
    return {
      from: { type: shape.start.name, ...start },
      hops,
      ...(options.defaults && { defaults: boundsJson(options.defaults) }),
      ...(enrichments.length > 0 && { enrich: enrichments.map(({ name }) => name) }),
      ...besideOf(options),
    };
  }

  async run(options: AnyRunOptions = {}): Promise<TypedAnswer> {
    return this.#answer(await this.#asking.ask(this.request(options), options.signal), options);
  }

  async resume(next: string, options: AnyRunOptions = {}): Promise<TypedAnswer> {
    return this.#answer(await this.#continued(next, options), options);
  }

  async explain(options: AnyRunOptions = {}): Promise<Explanation> {
    const request: TraverseRequest = { ...this.request(options), explain: "plan" };
    return (await this.#asking.ask(request, options.signal)).explain!;
  }

  rows(hop?: number, options: AnyRunOptions & { readonly stream?: boolean } = {}): AsyncIterable<AnyEdgeRow> {
    const { shape } = this.#built;
    const wanted = hop ?? shape.hops.length - 1;
    const request = this.request(options);
    const first = { ...request, hops: request.hops!.slice(0, wanted + 1) };
    const continued = (next: string): object => ({ continue: next, ...besideOf(options) });
    const { signal, stream = false } = options;
    const read: ReadParts = stream ? this.#asking.parts(signal) : (asked) => this.#asking.whole(asked, signal);
    return rowPages(first, continued, wanted, shape, read);
  }

  #answer(answer: TraverseAnswer, options: AnyRunOptions): TypedAnswer {
    return new TypedAnswer(this.#built.shape, [answer], (next) => this.#continued(next, options));
  }

  #continued(next: string, options: AnyRunOptions): Promise<TraverseAnswer> {
    return this.#asking.ask({ continue: next, ...besideOf(options) }, options.signal);
  }

  #hop(edges: AnyWalk | readonly AnyWalk[], direction: HopDirection, options: HopOptions = {}): TraversalSteps {
    const given: readonly AnyWalk[] = Array.isArray(edges) ? (edges as readonly AnyWalk[]) : [edges as AnyWalk];
    const walks = given.map((walk): Walk => (walk.kind === "edge" ? { edge: walk, direction } : walk));
    const far = farTypes(walks, options.repeat === undefined ? this.#here() : undefined);
    const [only] = given;
    const request: HopRequest = {
      edge: given.length === 1 && only!.kind === "edge" ? only!.name : given.map(walkJson),
      ...(direction !== "out" && { direction }),
      ...boundsJson(options),
      ...conditionsJson(options, walks, far),
      ...selectionJson(options),
      ...(options.repeat && { repeat: repeatJson(options.repeat, far) }),
    };
    return this.#with(request, { walks, far, repeats: options.repeat !== undefined });
  }

  #with(request: HopRequest, hop: HopShape): TraversalSteps {
    const { shape, hops } = this.#built;
    return new TraversalSteps(this.#asking, {
      ...this.#built,
      shape: { ...shape, hops: [...shape.hops, hop] },
      hops: [...hops, request],
    });
  }

  /** The types that the next hop starts from, where they are known. */
  #here(): NodeTypes | undefined {
    const { start, hops } = this.#built.shape;
    return hops.length === 0 ? new Map([[start.name, start]]) : hops.at(-1)!.far;
  }
}

export function besideOf({ budget, cache, profile, waitFor, timeoutMs }: AnyRunOptions): Partial<TraverseRequest> {
  return {
    ...(budget && { budget }),
    ...(cache !== undefined && { cache }),
    ...(profile === true && { explain: "profile" }),
    ...(waitFor && { waitFor }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  };
}

function repeatJson(
  { times, until }: NonNullable<HopOptions["repeat"]>,
  far: NodeTypes,
): { readonly times: number; readonly until?: Condition } {
  const nodes = [...far.values()].map(({ model }) => model.properties);
  return { times, ...(until && { until: conditionOfCallback(until, nodes) }) };
}
