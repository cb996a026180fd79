// Messages that ask, as the JSON forms that the query stage validates (model/traversal.ts, model/questions.ts).
import { RdgError } from "../../core/errors.ts";
import type {
  CommonNeighboursRequest as CommonNeighboursMessage,
  CountRequest as CountMessage,
  GetEdgesRequest,
  GetNodesRequest,
  QuestionOptions as OptionsMessage,
  ShortestPathRequest as ShortestPathMessage,
} from "../../model/rpc/generated/rdg/v1/question.ts";
import {
  type Budget,
  Explain,
  type Hop,
  type TraverseRequest as TraverseMessage,
} from "../../model/rpc/generated/rdg/v1/traverse.ts";
import type { HopRequest } from "../../model/traversal.ts";
import { conditionOf, directionOf, edgesOf, given, namesOf, ruleOf, selectionOf, whereOf } from "./conditions.ts";

const explains: ReadonlyMap<Explain, "plan" | "profile"> = new Map([
  [Explain.EXPLAIN_PLAN, "plan"],
  [Explain.EXPLAIN_PROFILE, "profile"],
]);

/** `leftMs` until the call's deadline, where it has one that is nearer than the server's own bound. */
export function traverseRequestOf(message: TraverseMessage, leftMs: number | undefined): object {
  const { question, hops, defaults, enrich, explain } = message;
  if (question === undefined) {
    throw new RdgError(
      "invalid",
      "bad_request",
      "The request names neither a start nor a continuation, and is no query.",
      {
        hint: "Set start, continuation or query.",
      },
    );
  }
  const explained = explains.get(explain);
  return {
    ...askedOf(question),
    ...(hops.length > 0 && { hops: hops.map(hopOf) }),
    ...(defaults && { defaults: ruleOf(defaults) }),
    ...budgetOf(message.budget),
    ...(enrich.length > 0 && { enrich }),
    ...(explained && { explain: explained }),
    ...optionsOf(message, leftMs),
  };
}

function askedOf(question: NonNullable<TraverseMessage["question"]>): object {
  switch (question.$case) {
    case "start":
      return { from: startOf(question.value) };
    case "continuation":
      return { continue: question.value };
    case "query":
      return { query: question.value };
  }
}

function startOf({ type, ids, select }: { type: string; ids: string[]; select: { names: string[] } | undefined }) {
  return { type, ids, ...namesOf(select) };
}

function hopOf({ edges, direction, rule, where, select, repeat }: Hop): HopRequest {
  return {
    edge: edgesOf(edges),
    ...directionOf(direction, "direction"),
    ...ruleOf(rule),
    ...whereOf(where),
    ...selectionOf(select),
    ...(repeat && { repeat: { times: repeat.times, ...(repeat.until && { until: conditionOf(repeat.until) }) } }),
  };
}

function budgetOf(budget: Budget | undefined): { budget?: object } {
  return budget === undefined ? {} : { budget: given(budget) };
}

function optionsOf(
  options: Pick<OptionsMessage, "waitFor" | "timeoutMs" | "cache"> | undefined,
  leftMs: number | undefined,
): { waitFor?: string[]; timeoutMs?: number; cache?: boolean } {
  const { waitFor = [], timeoutMs, cache } = options ?? {};
  const nearest = timeoutMs === undefined || (leftMs !== undefined && leftMs < timeoutMs) ? leftMs : timeoutMs;
  return { ...(waitFor.length > 0 && { waitFor }), ...given({ timeoutMs: nearest, cache }) };
}

export function nodesRequestOf({ type, ids, select, options }: GetNodesRequest, leftMs: number | undefined): object {
  return { type, ids, ...namesOf(select), ...optionsOf(options, leftMs) };
}

export function edgesRequestOf({ type, pairs, select, options }: GetEdgesRequest, leftMs: number | undefined): object {
  return {
    type,
    pairs: pairs.map(({ fromId, toId }) => ({ from: fromId, to: toId })),
    ...namesOf(select),
    ...optionsOf(options, leftMs),
  };
}

export function countRequestOf(message: CountMessage, leftMs: number | undefined): object {
  const { start, edges, direction, since, until, where, budget, options } = message;
  return {
    from: start ?? {},
    edge: edgesOf(edges),
    ...directionOf(direction, "direction"),
    ...given({ since, until }),
    ...whereOf(where),
    ...budgetOf(budget),
    ...optionsOf(options, leftMs),
  };
}

export function shortestPathRequestOf(message: ShortestPathMessage, leftMs: number | undefined): object {
  const { start, end, edges, direction, maxDepth, rule, where, budget, select, options } = message;
  return {
    from: start ?? {},
    to: end ?? {},
    ...(edges.length > 0 && { edge: edgesOf(edges) }),
    ...directionOf(direction, "direction"),
    ...given({ maxDepth }),
    ...ruleOf(rule),
    ...whereOf(where),
    ...budgetOf(budget),
    ...selectionOf(select),
    ...optionsOf(options, leftMs),
  };
}

export function commonNeighboursRequestOf(message: CommonNeighboursMessage, leftMs: number | undefined): object {
  const { of, edges, direction, rule, where, budget, select, options } = message;
  return {
    of: of ?? {},
    edge: edgesOf(edges),
    ...directionOf(direction, "direction"),
    ...ruleOf(rule),
    ...whereOf(where),
    ...budgetOf(budget),
    ...selectionOf(select),
    ...optionsOf(options, leftMs),
  };
}
