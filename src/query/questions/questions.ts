// Questions over a store: wait for positions, plan, look, answer. They share the slots of traversals, for they use the same thread and memory.
import type { Clock } from "../../core/clock.ts";
import type { Slots } from "../../core/slots.ts";
import type { Turns } from "../../core/turns.ts";
import type { GraphModel } from "../../model/definition.ts";
import { type Position, formatPosition } from "../../model/position.ts";
import type {
  CommonNeighboursAnswer,
  CountAnswer,
  EdgesAnswer,
  NodesAnswer,
  ShortestPathAnswer,
} from "../../model/questions.ts";
import type { Store } from "../../store/port.ts";
import { JsonReader } from "../json-reader.ts";
import type { QueryContext, Questions } from "../port.ts";
import { Spending } from "../spending.ts";
import type { TraversalLimits } from "../traversal-plan.ts";
import { findCommonNeighbours, planCommonNeighbours } from "./common-neighbours.ts";
import { countEdges, planCount } from "./count.ts";
import { findEdges, findNodes, planEdges, planNodes, tooLate } from "./elements.ts";
import { type Looking, isLate } from "./looking.ts";
import { type Scope, type Terms, readTerms } from "./request.ts";
import { findShortestPath, planShortestPath } from "./shortest-path.ts";

export interface QuestionsOptions {
  readonly model: GraphModel;
  readonly store: Store;
  readonly clock: Clock;
  readonly turns: Turns;
  readonly limits: TraversalLimits;
  /** What is looked at at once, together with traversals. */
  readonly slots: Slots;
  /** @throws RdgError unavailable `not_applied_yet` */
  readonly waitFor: (positions: readonly Position[], timeoutMs: number, signal: AbortSignal) => Promise<void>;
}

export class StoreQuestions implements Questions {
  readonly #options: QuestionsOptions;

  constructor(options: QuestionsOptions) {
    this.#options = options;
  }

  nodes(request: unknown, context: QueryContext): Promise<NodesAnswer> {
    return this.#answer(request, context, planNodes, findNodes);
  }

  edges(request: unknown, context: QueryContext): Promise<EdgesAnswer> {
    return this.#answer(request, context, planEdges, findEdges);
  }

  count(request: unknown, context: QueryContext): Promise<CountAnswer> {
    return this.#answer(request, context, planCount, countEdges);
  }

  shortestPath(request: unknown, context: QueryContext): Promise<ShortestPathAnswer> {
    return this.#answer(request, context, planShortestPath, findShortestPath);
  }

  commonNeighbours(request: unknown, context: QueryContext): Promise<CommonNeighboursAnswer> {
    return this.#answer(request, context, planCommonNeighbours, findCommonNeighbours);
  }

  async #answer<Plan, Found extends object>(
    request: unknown,
    { signal, mayRead, charge }: QueryContext,
    plan: (json: JsonReader, scope: Scope) => Plan,
    find: (plan: Plan, looking: Looking) => Promise<Found>,
  ): Promise<Found & { readonly asOf: readonly string[] }> {
    const { model, limits, clock, slots, waitFor } = this.#options;
    const startedMs = clock.monotonicMs();
    const json = new JsonReader(request).object();
    const scope: Scope = { model, limits, nowMs: clock.now(), mayRead };
    const planned = plan(json, scope);
    const terms = readTerms(json, scope);
    if (terms.waitFor.length > 0) await waitFor(terms.waitFor, terms.timeoutMs, signal);
    const leftMs = Math.max(0, startedMs + terms.timeoutMs - clock.monotonicMs());
    const look = () => this.#look(terms, startedMs, signal, charge, (looking) => find(planned, looking));
    return slots.run(look, signal, leftMs);
  }

  async #look<Found extends object>(
    { timeoutMs, scannedMax, cache, waitFor }: Terms,
    startedMs: number,
    signal: AbortSignal,
    charge: QueryContext["charge"],
    find: (looking: Looking) => Promise<Found>,
  ): Promise<Found & { readonly asOf: readonly string[] }> {
    const { model, store, clock, turns, limits } = this.#options;
    const budget = { edgesMax: Infinity, scannedMax, bytesMax: limits.bytesMax, timeoutMs };
    const spending = new Spending(budget, clock, turns, startedMs);
    // Read before the rest of the store is: the answer has seen at least this.
    const { inputs } = await store.applied();
    const current = waitFor.length > 0;
    const deadlineMs = startedMs + timeoutMs;
    const reader = store.reader({ deadlineMs, current, ...(cache === undefined ? {} : { cache }) });
    try {
      const found = await find({ model, reader, capabilities: store.capabilities, spending, signal });
      return { ...found, asOf: inputs.map(formatPosition) };
    } catch (error) {
      throw isLate(error) ? tooLate(error) : error;
    } finally {
      reader.close();
      charge?.(scannedMax - spending.scannedLeft);
    }
  }
}
