// What becomes of what queries cost: metrics, spans of their requests, and a line in the log for those that were slow.
import type { Registry } from "prom-client";
import { registerQuestionMetrics, registerTraversalMetrics } from "../observe/traversal-metrics.ts";
import type { QueriesOptions } from "../query/queries.ts";
import type { Logger } from "./logger.ts";

/** @param slowMs 0: nothing is slow */
export function watchQueries(
  metrics: Registry,
  logger: Pick<Logger, "warn">,
  slowMs: number,
): Required<Pick<QueriesOptions, "observe" | "observeQuestion">> {
  const traversed = registerTraversalMetrics(metrics);
  const answered = registerQuestionMetrics(metrics);
  return {
    observe(traversal, { span, requestId }) {
      traversed(traversal);
      const { planMs, waitMs, traverseMs, encodeMs } = traversal;
      if (span !== undefined) {
        span.stage("validation", planMs, waitMs + traverseMs + encodeMs);
        span.stage("wait", waitMs, traverseMs + encodeMs);
        span.stage("walk", traverseMs, encodeMs);
        span.stage("assembly", encodeMs, 0);
      }
      const totalMs = planMs + waitMs + traverseMs + encodeMs;
      if (slowMs === 0 || totalMs < slowMs) return;
      const { edges, scanned, complete, nodesMs, enrichMs, answerBytes } = traversal;
      const times = { totalMs, planMs, waitMs, traverseMs, nodesMs, enrichMs, encodeMs };
      const figures = { edges, scanned, complete, answerBytes };
      logger.warn(
        { requestId, traceId: span?.traceId, ...times, ...figures, explain: traversal.explain() },
        "slow query",
      );
    },
    observeQuestion(question, ms, { span, requestId }) {
      answered(question, ms);
      span?.stage(question, ms, 0);
      if (slowMs === 0 || ms < slowMs) return;
      logger.warn({ requestId, traceId: span?.traceId, question, totalMs: ms }, "slow query");
    },
  };
}
