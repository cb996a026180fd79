// Queries over a store: plan, wait for positions, walk, encode. The stage's one implementation, over ports only.
import { createSecretKey } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import { Slots } from "../core/slots.ts";
import { systemTurns, type Turns } from "../core/turns.ts";
import type { GraphModel } from "../model/definition.ts";
import type {
  CommonNeighboursAnswer,
  CountAnswer,
  EdgesAnswer,
  NodesAnswer,
  ShortestPathAnswer,
} from "../model/questions.ts";
import type { Store } from "../store/port.ts";
import { planContinuation } from "./continuation.ts";
import { AnswerEncoder } from "./encode-json.ts";
import type { Enrichments } from "./enrichments.ts";
import type { FoundInPlace } from "./in-place/port.ts";
import { InPlaceWalk } from "./in-place/walk.ts";
import { JsonReader } from "./json-reader.ts";
import type { Level } from "./level.ts";
import { PartWalk } from "./part-walk.ts";
import type { EndPart, Queries, QueryAnswer, QueryContext, Questions, TakesWhole } from "./port.ts";
import { type WaitFor, requireApplied } from "./positions.ts";
import { StoreQuestions } from "./questions/questions.ts";
import { requireReadable } from "./request-hop.ts";
import { edgeTypeIndex, nodeTypeIndex, planTraversal, readId } from "./request.ts";
import { parseQuery, retold } from "./text/parse.ts";
import { type TraversalLimits, type TraversalPlan, defaultTraversalLimits } from "./traversal-plan.ts";
import { type ObservedTraversal, TraversalRun, type TraversalScope } from "./traversal-run.ts";

export type { ObservedTraversal } from "./traversal-run.ts";

export interface QueriesOptions {
  readonly model: GraphModel;
  readonly store: Store;
  readonly clock: Clock;
  readonly turns?: Turns;
  readonly waitFor: WaitFor;
  /** Signs continuation tokens: at least 32 random bytes, the same in all servers of the graph and after a restart. */
  readonly continuationKey: Uint8Array;
  readonly limits?: Partial<TraversalLimits>;
  /**
   * Traversals that are walked at once, while others wait in line: their memory is bounded by them. Those that wait for positions take none, those that are
   * taken in parts one for each level while it is walked, none while their reader has not asked for more.
   */
  readonly slots?: Slots;
  readonly enrichments?: Enrichments;
  /** Told of every traversal, for metrics. */
  readonly observe?: (traversal: ObservedTraversal, context: QueryContext) => void;
  /** Told of every other question that was answered, and of how long it took. */
  readonly observeQuestion?: (question: keyof Questions, ms: number, context: QueryContext) => void;
}

const textMembers = ["query", "defaults", "budget", "enrich", "cache", "explain", "waitFor", "timeoutMs"];

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
  private readonly inPlaceWalk: InPlaceWalk;
  private readonly scope: TraversalScope;
  private readonly slots: Slots;
  private readonly questions: StoreQuestions;

  constructor(options: QueriesOptions) {
    this.options = options;
    this.limits = { ...defaultTraversalLimits, ...options.limits };
    this.encoder = new AnswerEncoder(options.model);
    this.inPlaceWalk = new InPlaceWalk(options.clock);
    const { model, store, clock, turns = systemTurns, continuationKey, waitFor, enrichments } = options;
    this.scope = {
      execution: { model, store, clock, turns, bytesMax: this.limits.bytesMax },
      limits: this.limits,
      continuationKey: createSecretKey(continuationKey),
      waitFor,
      enrichments,
    };
    this.slots = options.slots ?? new Slots(traversalsMax);
    const { limits, slots } = this;
    this.questions = new StoreQuestions({
      model,
      store,
      clock,
      turns,
      limits,
      slots,
      waitFor: (positions, timeoutMs, signal) => requireApplied(waitFor, positions, timeoutMs, signal),
    });
  }

  traverse(request: unknown, context: QueryContext): Promise<QueryAnswer> {
    return whileAsked(context.signal, async () => {
      const run = this.begin(request, context);
      await run.wait();
      const answer = this.inPlace(run, context);
      if (answer !== undefined) return answer;
      return this.slots.run(() => this.whole(run, context), context.signal, run.leftMs);
    });
  }

  private inPlace(run: TraversalRun, context: QueryContext): QueryAnswer | undefined {
    let json: Uint8Array | undefined;
    const taken = this.takenInPlace(run, context, (found, end) => {
      json = this.encoder.traversalInPlace(found, end);
      return json?.length;
    });
    return taken ? { json: json! } : undefined;
  }

  /** Small traversals take no slot: they are over before anybody else has a turn. `encode` tells how long the answer is, unless it does not take it. */
  private takenInPlace(
    run: TraversalRun,
    context: QueryContext,
    encode: (found: FoundInPlace, end: () => EndPart) => number | undefined,
  ): boolean {
    const { clock, observe } = this.options;
    const walked = run.inPlace(this.inPlaceWalk);
    if (walked === undefined) return false;
    const encodeFromMs = clock.monotonicMs();
    const bytes = encode(walked, () => run.end(clock.monotonicMs() - encodeFromMs));
    if (bytes === undefined) {
      run.forget();
      return false;
    }
    context.charge?.(walked.scanned);
    observe?.(run.observed(clock.monotonicMs() - encodeFromMs, bytes), context);
    return true;
  }

  private async whole(run: TraversalRun, context: QueryContext): Promise<QueryAnswer> {
    const { clock, observe } = this.options;
    const levels: Level[] = [];
    try {
      for (let level = await run.next(); level !== undefined; level = await run.next()) levels.push(level);
    } finally {
      run.close();
    }
    const encodeFromMs = clock.monotonicMs();
    const json = this.encoder.traversal(levels, () => run.end(clock.monotonicMs() - encodeFromMs));
    observe?.(run.observed(clock.monotonicMs() - encodeFromMs, json.length), context);
    return { json };
  }

  traverseParts(request: unknown, context: QueryContext, whole?: TakesWhole): PartWalk {
    return this.walkOf(
      () => this.begin(request, context),
      context,
      whole,
      (error) => error,
    );
  }

  queryParts(request: unknown, context: QueryContext, whole?: TakesWhole): PartWalk {
    return this.walkOf(() => this.begin(this.parse(request), context), context, whole, retold);
  }

  private walkOf(
    begin: () => TraversalRun,
    context: QueryContext,
    whole: TakesWhole | undefined,
    told: (error: unknown) => unknown,
  ): PartWalk {
    const { signal } = context;
    return new PartWalk({
      begin,
      taken: (run) =>
        whole !== undefined && this.takenInPlace(run, context, (found, end) => (whole(found, end) ? 0 : undefined)),
      slots: this.slots,
      signal,
      onWalked: (run) => this.options.observe?.(run.observed(0, 0), context),
      told: (error) => told(toldWhenAborted(error, signal)),
    });
  }

  async *traverseLines(request: unknown, context: QueryContext): AsyncGenerator<Uint8Array> {
    for await (const part of this.traverseParts(request, context)) yield this.encoder.line(part);
  }

  private begin(request: unknown, { signal, mayRead, charge }: QueryContext): TraversalRun {
    const startedMs = this.options.clock.monotonicMs();
    const { scope } = this;
    const charged = charge === undefined ? scope : { ...scope, execution: { ...scope.execution, charge } };
    return new TraversalRun(this.plan(request, mayRead), charged, startedMs, signal);
  }

  private plan(request: unknown, mayRead: QueryContext["mayRead"]): TraversalPlan {
    const { model, clock } = this.options;
    const isContinued = typeof request === "object" && request !== null && Object.hasOwn(request, "continue");
    return isContinued
      ? planContinuation(request, model, this.limits, this.scope.continuationKey, mayRead)
      : planTraversal(request, model, this.limits, clock.now(), mayRead);
  }

  async query(request: unknown, context: QueryContext): Promise<QueryAnswer> {
    const parsed = this.parse(request);
    try {
      return await this.traverse(parsed, context);
    } catch (error) {
      throw retold(error);
    }
  }

  async *queryLines(request: unknown, context: QueryContext): AsyncGenerator<Uint8Array> {
    for await (const part of this.queryParts(request, context)) yield this.encoder.line(part);
  }

  /** The request that the text means. */
  private parse(request: unknown): object {
    const json = new JsonReader(request).object(textMembers);
    const { query: _text, ...rest } = json.value as { readonly query: unknown };
    return { ...parseQuery(json.at("query").text("a query"), this.options.model), ...rest };
  }

  nodes(request: unknown, context: QueryContext): Promise<NodesAnswer> {
    return this.question("nodes", context, () => this.questions.nodes(request, context));
  }

  edges(request: unknown, context: QueryContext): Promise<EdgesAnswer> {
    return this.question("edges", context, () => this.questions.edges(request, context));
  }

  count(request: unknown, context: QueryContext): Promise<CountAnswer> {
    return this.question("count", context, () => this.questions.count(request, context));
  }

  shortestPath(request: unknown, context: QueryContext): Promise<ShortestPathAnswer> {
    return this.question("shortestPath", context, () => this.questions.shortestPath(request, context));
  }

  commonNeighbours(request: unknown, context: QueryContext): Promise<CommonNeighboursAnswer> {
    return this.question("commonNeighbours", context, () => this.questions.commonNeighbours(request, context));
  }

  private async question<T>(name: keyof Questions, context: QueryContext, work: () => Promise<T>): Promise<T> {
    const { clock, observeQuestion } = this.options;
    const startedMs = clock.monotonicMs();
    const answer = await whileAsked(context.signal, work);
    observeQuestion?.(name, clock.monotonicMs() - startedMs, context);
    return answer;
  }

  node(type: string, id: string, context: QueryContext): Promise<QueryAnswer> {
    return whileAsked(context.signal, () => this.findNode(type, id, context));
  }

  edge(type: string, from: string, to: string, context: QueryContext): Promise<QueryAnswer> {
    return whileAsked(context.signal, () => this.findEdge(type, from, to, context));
  }

  private async findNode(type: string, id: string, { signal, mayRead }: QueryContext): Promise<QueryAnswer> {
    const { model, store } = this.options;
    const index = nodeTypeIndex(model, type);
    requireReadable(new JsonReader(type, "/type"), type, mayRead);
    const select = model.nodes[index]!.properties.map((_, i) => i);
    readId(new JsonReader(id, "/id"));
    const reader = store.reader({ deadlineMs: this.options.clock.monotonicMs() + this.limits.timeoutMsDefault });
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

  private async findEdge(
    type: string,
    from: string,
    to: string,
    { signal, mayRead }: QueryContext,
  ): Promise<QueryAnswer> {
    const { model, store } = this.options;
    const index = edgeTypeIndex(model, type);
    requireReadable(new JsonReader(type, "/type"), type, mayRead);
    const select = model.edges[index]!.properties.map((_, i) => i);
    readId(new JsonReader(from, "/from"));
    readId(new JsonReader(to, "/to"));
    const reader = store.reader({ deadlineMs: this.options.clock.monotonicMs() + this.limits.timeoutMsDefault });
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
}

async function whileAsked<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toldWhenAborted(error, signal);
  }
}

/** Whatever way a stage stops when the signal aborts, it becomes one error. */
function toldWhenAborted(error: unknown, { aborted }: AbortSignal): unknown {
  if (!aborted || error instanceof RdgError) return error;
  return new RdgError("closed", "request_aborted", "The request was given up by its caller.", { cause: error });
}
