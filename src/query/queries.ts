// Queries over a store: wait for positions, plan, walk, encode. The stage's one implementation, over ports only.
import type { Clock } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import { Slots } from "../core/slots.ts";
import { systemTurns, type Turns } from "../core/turns.ts";
import type { GraphModel } from "../model/definition.ts";
import { type Position, formatPosition } from "../model/position.ts";
import type {
  CommonNeighboursAnswer,
  CountAnswer,
  EdgesAnswer,
  NodesAnswer,
  ShortestPathAnswer,
} from "../model/questions.ts";
import type { Store } from "../store/port.ts";
import { continuationOf, planContinuation } from "./continuation.ts";
import { AnswerEncoder } from "./encode-json.ts";
import { type Execution, type Traversal, executeTraversal } from "./execute.ts";
import { JsonReader } from "./json-reader.ts";
import { type AnswerFrame, partsOf } from "./parts.ts";
import type { Queries, QueryAnswer, QueryContext, TraversalPart } from "./port.ts";
import { StoreQuestions } from "./questions/questions.ts";
import { edgeTypeIndex, nodeTypeIndex, planTraversal, readId } from "./request.ts";
import { parseQuery, retold } from "./text/parse.ts";
import { type TraversalLimits, type TraversalPlan, defaultTraversalLimits } from "./traversal-plan.ts";

export interface QueriesOptions {
  readonly model: GraphModel;
  readonly store: Store;
  readonly clock: Clock;
  readonly turns?: Turns;
  /** Resolves with true once the store has applied the positions, with false after `timeoutMs`. */
  readonly waitFor: (positions: readonly Position[], timeoutMs: number, signal: AbortSignal) => Promise<boolean>;
  /** Signs continuation tokens: at least 32 random bytes, the same in all servers of the graph and after a restart. */
  readonly continuationKey: Uint8Array;
  readonly limits?: Partial<TraversalLimits>;
  /** Traversals that are walked at once, while others wait in line: their memory is bounded by them. Those that wait for positions take none. */
  readonly slots?: Slots;
  /** Told of every traversal, for metrics. */
  readonly observe?: (traversal: ObservedTraversal) => void;
}

export interface ObservedTraversal {
  readonly edges: number;
  readonly scanned: number;
  readonly complete: boolean;
  readonly waitMs: number;
  readonly traverseMs: number;
  readonly encodeMs: number;
  readonly answerBytes: number;
}

/** They share one thread: more at once would only hold more memory. */
export const traversalsMax = 32;

/** @throws RdgError invalid when the key is too short */
export function createQueries(options: QueriesOptions): Queries {
  if (options.continuationKey.length < 32) {
    throw new RdgError("invalid", "weak_key", "The key of continuation tokens is shorter than 32 bytes.", {
      place: "continuationKey",
      hint: "Give 32 random bytes.",
    });
  }
  return new StoreQueries(options);
}

class StoreQueries implements Queries {
  private readonly options: QueriesOptions;
  private readonly limits: TraversalLimits;
  private readonly encoder: AnswerEncoder;
  private readonly execution: Execution;
  private readonly slots: Slots;
  private readonly questions: StoreQuestions;

  constructor(options: QueriesOptions) {
    this.options = options;
    this.limits = { ...defaultTraversalLimits, ...options.limits };
    this.encoder = new AnswerEncoder(options.model);
    const { model, store, clock, turns = systemTurns } = options;
    this.execution = { model, store, clock, turns };
    this.slots = options.slots ?? new Slots(traversalsMax);
    const { limits, slots } = this;
    const waitFor = (waitFor: readonly Position[], timeoutMs: number, signal: AbortSignal): Promise<void> =>
      this.waitFor({ waitFor, budget: { timeoutMs } }, signal);
    this.questions = new StoreQuestions({ model, store, clock, turns, limits, slots, waitFor });
  }

  traverse(request: unknown, { signal }: QueryContext): Promise<QueryAnswer> {
    return whileAsked(signal, () => this.run(request, signal, (traversal, frame) => this.encode(traversal, frame)));
  }

  async *traverseParts(request: unknown, { signal }: QueryContext): AsyncGenerator<TraversalPart> {
    yield* await whileAsked(signal, () => this.run(request, signal, partsOf));
  }

  private encode(traversal: Traversal, frame: AnswerFrame): QueryAnswer {
    const { clock, observe } = this.options;
    const encodeFromMs = clock.monotonicMs();
    const json = this.encoder.traversal(traversal, frame);
    observe?.({
      edges: traversal.levels.reduce((sum, level) => sum + (level.edges?.count ?? 0), 0),
      scanned: traversal.scanned,
      complete: traversal.hops.every(({ cause }) => cause === undefined),
      waitMs: frame.waitMs,
      traverseMs: frame.traverseMs,
      encodeMs: clock.monotonicMs() - encodeFromMs,
      answerBytes: json.length,
    });
    return { json };
  }

  private async run<T>(
    request: unknown,
    signal: AbortSignal,
    take: (traversal: Traversal, frame: AnswerFrame) => T,
  ): Promise<T> {
    const { model, clock, store, continuationKey } = this.options;
    const startedMs = clock.monotonicMs();
    const continued = typeof request === "object" && request !== null && Object.hasOwn(request, "continue");
    const plan = continued
      ? planContinuation(request, model, this.limits, continuationKey)
      : planTraversal(request, model, this.limits, clock.now());
    await this.waitFor(plan, signal);
    const walk = async (): Promise<T> => {
      const walkedFromMs = clock.monotonicMs();
      // Read before the store is: the answer has seen at least this.
      const { inputs } = await store.applied();
      const traversal = await executeTraversal(plan, this.execution, startedMs, signal);
      return take(traversal, this.frame(plan, traversal, inputs, startedMs, walkedFromMs));
    };
    return this.slots.run(walk, signal);
  }

  async query(request: unknown, context: QueryContext): Promise<QueryAnswer> {
    const json = new JsonReader(request).object(["query", "budget", "waitFor", "timeoutMs"]);
    const { query: _text, ...rest } = json.value as { readonly query: unknown };
    const parsed = parseQuery(json.at("query").text("a query"), this.options.model);
    try {
      return await this.traverse({ ...parsed, ...rest }, context);
    } catch (error) {
      throw retold(error);
    }
  }

  nodes(request: unknown, context: QueryContext): Promise<NodesAnswer> {
    return whileAsked(context.signal, () => this.questions.nodes(request, context));
  }

  edges(request: unknown, context: QueryContext): Promise<EdgesAnswer> {
    return whileAsked(context.signal, () => this.questions.edges(request, context));
  }

  count(request: unknown, context: QueryContext): Promise<CountAnswer> {
    return whileAsked(context.signal, () => this.questions.count(request, context));
  }

  shortestPath(request: unknown, context: QueryContext): Promise<ShortestPathAnswer> {
    return whileAsked(context.signal, () => this.questions.shortestPath(request, context));
  }

  commonNeighbours(request: unknown, context: QueryContext): Promise<CommonNeighboursAnswer> {
    return whileAsked(context.signal, () => this.questions.commonNeighbours(request, context));
  }

  node(type: string, id: string, { signal }: QueryContext): Promise<QueryAnswer> {
    return whileAsked(signal, () => this.findNode(type, id, signal));
  }

  edge(type: string, from: string, to: string, { signal }: QueryContext): Promise<QueryAnswer> {
    return whileAsked(signal, () => this.findEdge(type, from, to, signal));
  }

  private async findNode(type: string, id: string, signal: AbortSignal): Promise<QueryAnswer> {
    const { model, store } = this.options;
    const index = nodeTypeIndex(model, type);
    const select = model.nodes[index]!.properties.map((_, i) => i);
    readId(new JsonReader(id, "/id"));
    const reader = store.reader();
    try {
      const references = await reader.find(index, [id], signal);
      const rows = references[0]! < 0 ? undefined : await reader.nodes({ type: index, references, select }, signal);
      if (rows?.visible[0] !== 1) {
        const hint = "It was never upserted, was removed, or has expired.";
        throw new RdgError("not_found", "node_not_found", `There is no node ${JSON.stringify(id)} of type "${type}".`, {
          hint,
        });
      }
      return { json: this.encoder.node(index, id, rows, select) };
    } finally {
      reader.close();
    }
  }

  private async findEdge(type: string, from: string, to: string, signal: AbortSignal): Promise<QueryAnswer> {
    const { model, store } = this.options;
    const index = edgeTypeIndex(model, type);
    const select = model.edges[index]!.properties.map((_, i) => i);
    readId(new JsonReader(from, "/from"));
    readId(new JsonReader(to, "/to"));
    const reader = store.reader();
    try {
      const row = await reader.edge({ edge: index, from, to, select }, signal);
      if (row === undefined) {
        const element = `${JSON.stringify(from)} -> ${JSON.stringify(to)}`;
        const hint = "It was never upserted, was removed, or has expired; an end that is removed hides it, too.";
        throw new RdgError("not_found", "edge_not_found", `There is no edge ${element} of type "${type}".`, { hint });
      }
      return { json: this.encoder.edge(index, from, to, row, select) };
    } finally {
      reader.close();
    }
  }

  private async waitFor(
    plan: { readonly waitFor: readonly Position[]; readonly budget: { readonly timeoutMs: number } },
    signal: AbortSignal,
  ): Promise<void> {
    if (plan.waitFor.length === 0) return;
    const { timeoutMs } = plan.budget;
    if (await this.options.waitFor(plan.waitFor, timeoutMs, signal)) return;
    throw new RdgError("unavailable", "not_applied_yet", `The positions were not applied within ${timeoutMs} ms.`, {
      place: "/waitFor",
      hint: "Ask again, with a longer timeoutMs, or without waitFor for what is there now.",
      retryAfterMs: 1_000,
    });
  }

  private frame(
    plan: TraversalPlan,
    traversal: Traversal,
    inputs: readonly Position[],
    startedMs: number,
    walkedFromMs: number,
  ): AnswerFrame {
    const { clock, continuationKey } = this.options;
    const encodeFromMs = clock.monotonicMs();
    const next = traversal.hops.map((outcome, hop) =>
      outcome.cause === undefined ? undefined : continuationOf(plan, hop, outcome, this.limits, continuationKey),
    );
    return {
      firstHop: plan.firstHop,
      next,
      asOf: inputs.map(formatPosition),
      waitMs: walkedFromMs - startedMs,
      traverseMs: encodeFromMs - walkedFromMs,
      encodeMs: () => clock.monotonicMs() - encodeFromMs,
    };
  }
}

/** Whatever way a stage stops when the signal aborts, it becomes one error. */
async function whileAsked<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!signal.aborted || error instanceof RdgError) throw error;
    throw new RdgError("closed", "request_aborted", "The request was given up by its caller.", { cause: error });
  }
}
