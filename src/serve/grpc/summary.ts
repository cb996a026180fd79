// What a traversal's answer says beside its levels, as messages.
import { Direction, Order } from "../../model/rpc/generated/rdg/v1/rule.ts";
import {
  type Branch,
  type Explanation as ExplanationMessage,
  type HopOutcome,
  TraverseSummary,
  TruncationCause as CauseMessage,
} from "../../model/rpc/generated/rdg/v1/traverse.ts";
import type {
  BranchExplanation,
  Explanation,
  HopAnswer,
  HopDirection,
  TruncationCause,
} from "../../model/traversal.ts";
import type { EndPart } from "../../query/port.ts";

const causes: Readonly<Record<TruncationCause, CauseMessage>> = {
  limit: CauseMessage.TRUNCATION_CAUSE_LIMIT,
  scan: CauseMessage.TRUNCATION_CAUSE_SCAN,
  budget_edges: CauseMessage.TRUNCATION_CAUSE_BUDGET_EDGES,
  budget_bytes: CauseMessage.TRUNCATION_CAUSE_BUDGET_BYTES,
  deadline: CauseMessage.TRUNCATION_CAUSE_DEADLINE,
};
const directions: Readonly<Record<HopDirection, Direction>> = {
  out: Direction.DIRECTION_OUT,
  in: Direction.DIRECTION_IN,
  both: Direction.DIRECTION_BOTH,
};

export function encodedSummary(end: EndPart): Uint8Array {
  const { hops, complete, asOf, timings, fromHop, enrichments = [], explain } = end;
  return TraverseSummary.encode({
    hops: hops.map(outcomeOf),
    complete,
    asOf: [...asOf],
    timings: { ...timings, hopsMs: [...timings.hopsMs] },
    fromHop,
    enrichments: enrichments.map(({ name, nodes, failed, cause = "" }) => ({ name, nodes, failed, cause })),
    explanation: explain && explanationOf(explain),
  }).finish();
}

function outcomeOf(answer: HopAnswer): HopOutcome {
  const { complete, hop, repetition } = answer;
  return { complete, truncated: answer.complete ? undefined : truncationOf(answer.truncated), hop, repetition };
}

export function truncationOf(truncated: { cause: TruncationCause; nodes?: number; next?: string; reason?: string }) {
  const { cause, nodes = 0, next = "", reason = "" } = truncated;
  return { cause: causes[cause], nodes, next, reason };
}

export function directionMessage(direction: HopDirection): Direction {
  return directions[direction];
}

function explanationOf({ hops, budget, levels = [], totals }: Explanation): ExplanationMessage {
  return {
    hops: hops.map(({ hop, repetition, branches, pruned }) => ({
      hop,
      repetition,
      branches: branches.map(branchOf),
      pruned: pruned.map(({ edge, direction, reason }) => ({ edge, direction: directions[direction], reason })),
    })),
    budget,
    levels: [...levels],
    totals,
  };
}

function branchOf({ edge, direction, from, to, rule, origins, filtersInStore }: BranchExplanation): Branch {
  const { limit, order, since, until } = rule;
  return {
    edge,
    direction: directions[direction],
    fromTypes: [...from],
    toTypes: [...to],
    rule: { limit, order: order === "any" ? Order.ORDER_ANY : Order.ORDER_LATEST, since, until },
    origins: new Map(Object.entries(origins)),
    filtersInStore,
  };
}
