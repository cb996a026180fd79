// What traversals and questions cost, as Prometheus' histograms: told one by one, unlike all other metrics.
import { Counter, type Registry } from "prom-client";
import { Histogram } from "../core/histogram.ts";

/** What one traversal cost. */
export interface TraversalMeasures {
  readonly edges: number;
  readonly scanned: number;
  readonly complete: boolean;
  readonly planMs: number;
  readonly waitMs: number;
  readonly traverseMs: number;
  /** Of the time above. */
  readonly enrichMs: number;
  readonly encodeMs: number;
  readonly answerBytes: number;
}

const secondsBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const countBuckets = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];
const bytesBuckets = [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/** The returned function is told of every traversal. */
export function registerTraversalMetrics(registry: Registry): (traversal: TraversalMeasures) => void {
  const registers = [registry];
  const seconds = new Histogram({
    name: "rdg_traversal_seconds",
    help: "Time of traversals by stage, and in total.",
    labelNames: ["stage"] as const,
    buckets: secondsBuckets,
    registers,
  });
  const edges = new Histogram({
    name: "rdg_traversal_edges",
    help: "Edges of the answer.",
    buckets: countBuckets,
    registers,
  });
  const scanned = new Histogram({
    name: "rdg_traversal_scanned_edges",
    help: "Edges that were looked at.",
    buckets: countBuckets,
    registers,
  });
  const bytes = new Histogram({
    name: "rdg_traversal_answer_bytes",
    help: "Bytes of the answer.",
    buckets: bytesBuckets,
    registers,
  });
  const counts = { true: 0, false: 0 };
  const traversals: Counter<"complete"> = new Counter({
    name: "rdg_traversals_total",
    help: "Traversals by whether their answer is complete.",
    labelNames: ["complete"] as const,
    registers,
    collect() {
      traversals.reset();
      for (const complete of ["true", "false"] as const) traversals.inc({ complete }, counts[complete]);
    },
  });
  const [validation, wait, store] = [
    seconds.of({ stage: "validation" }),
    seconds.of({ stage: "wait" }),
    seconds.of({ stage: "store" }),
  ];
  const [enrichment, assembly, total] = [
    seconds.of({ stage: "enrichment" }),
    seconds.of({ stage: "assembly" }),
    seconds.of({ stage: "total" }),
  ];
  const [edgesOf, scannedOf, bytesOf] = [edges.of({}), scanned.of({}), bytes.of({})];
  return (traversal) => {
    const { planMs, waitMs, traverseMs, enrichMs, encodeMs } = traversal;
    validation.observe(planMs / 1_000);
    wait.observe(waitMs / 1_000);
    store.observe((traverseMs - enrichMs) / 1_000);
    if (enrichMs > 0) enrichment.observe(enrichMs / 1_000);
    assembly.observe(encodeMs / 1_000);
    total.observe((planMs + waitMs + traverseMs + encodeMs) / 1_000);
    edgesOf.observe(traversal.edges);
    scannedOf.observe(traversal.scanned);
    bytesOf.observe(traversal.answerBytes);
    counts[traversal.complete ? "true" : "false"]++;
  };
}

/** The returned function is told of every question beside traversals. */
export function registerQuestionMetrics(registry: Registry): (question: string, ms: number) => void {
  const seconds = new Histogram({
    name: "rdg_question_seconds",
    help: "Time of questions beside traversals, by question.",
    labelNames: ["question"] as const,
    buckets: secondsBuckets,
    registers: [registry],
  });
  return (question, ms) => seconds.of({ question }).observe(ms / 1_000);
}
