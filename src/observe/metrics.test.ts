// Metrics: what they are called, that all of them are documented, and that each scrape takes one look.
import { readFile } from "node:fs/promises";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { type Measures, registerMetrics } from "./metrics.ts";
import { registerQuestionMetrics, registerTraversalMetrics } from "./traversal-metrics.ts";

const stream = { segments: 2, sizeBytes: 500, firstOffset: 3, nextOffset: 9, readers: 1, failure: undefined };
const measures: Measures = {
  ready: true,
  refusing: false,
  queues: [
    { queue: "gateway", unit: "bytes", fill: 5, max: 10 },
    { queue: "job_window", of: "play", unit: "elements", fill: 1, max: 7 },
  ],
  gateway: {
    refusedRequests: 4,
    strays: { rejected: 6, quarantined: 5 },
    targets: [
      {
        kind: "event",
        name: "play",
        rejected: 1,
        quarantined: 2,
        partitions: [
          { accepted: 10, repeated: 1, bytes: 300 },
          { accepted: 20, repeated: 0, bytes: 700 },
        ],
      },
    ],
  },
  jobs: [
    {
      event: "play",
      state: "running",
      lagRecords: 6,
      ratePerSecond: 1,
      counters: {
        received: [10, 20],
        filtered: [1, 2],
        mapped: [9, 18],
        emitted: [30, 60],
        merged: [50, 0],
        published: [40, 0],
      },
      window: { keys: 1, keysMax: 7, bytes: 0, bytesMax: 1 },
    },
  ],
  sideInputs: [{ name: "films", rows: 3, sizeBytes: 900, malformed: 1 }],
  log: {
    bytesWritten: 1000,
    framesWritten: 20,
    syncs: 5,
    partitions: [{ ...stream, topic: "events.play", partition: 1 }],
    journal: { ...stream, failure: "The disk is full." },
  },
  store: {
    nodes: { film: 8 },
    edges: { saw: 9 },
    memoryBytes: 1,
    memoryMaxBytes: 2,
    appliedOffset: 41,
    lagTransactions: 2,
  },
  process: { residentBytes: 123, cpuSeconds: 4.5, uptimeSeconds: 6 },
};

async function scraped(): Promise<{ registry: Registry; text: string; looks: () => number }> {
  const registry = new Registry();
  let looks = 0;
  registerMetrics(registry, async () => (looks++, measures));
  const observe = registerTraversalMetrics(registry);
  const times = { planMs: 0.5, waitMs: 1, traverseMs: 2, enrichMs: 0.5, encodeMs: 3 };
  observe({ edges: 5, scanned: 50, complete: false, answerBytes: 900, ...times });
  registerQuestionMetrics(registry)("count", 4);
  return { registry, text: await registry.metrics(), looks: () => looks };
}

test("every stage tells what it counts, by partition where it has any", async () => {
  const { text } = await scraped();
  const lines = [
    'rdg_queue_fill{queue="gateway",of="",unit="bytes"} 5',
    'rdg_queue_max{queue="job_window",of="play",unit="elements"} 7',
    'rdg_gateway_records_total{kind="event",name="play",partition="1",outcome="accepted"} 20',
    'rdg_gateway_bad_records_total{kind="event",name="play",outcome="quarantined"} 2',
    "rdg_gateway_refused_requests_total 4",
    'rdg_job_events_total{job="play",partition="1",outcome="filtered"} 2',
    'rdg_job_updates_total{job="play",partition="0",outcome="published"} 40',
    'rdg_job_state{job="play",state="running"} 1',
    'rdg_job_state{job="play",state="paused"} 0',
    'rdg_side_input_malformed_rows_total{input="films"} 1',
    "rdg_log_syncs_total 5",
    'rdg_log_next_offset{topic="events.play",partition="1"} 9',
    'rdg_log_failed{topic="journal",partition="0"} 1',
    'rdg_store_elements{kind="edge",type="saw"} 9',
    "rdg_store_applied_offset 41",
    'rdg_traversals_total{complete="false"} 1',
    'rdg_traversal_seconds_sum{stage="validation"} 0.0005',
    'rdg_traversal_seconds_sum{stage="store"} 0.0015',
    'rdg_traversal_seconds_sum{stage="enrichment"} 0.0005',
    'rdg_traversal_seconds_sum{stage="assembly"} 0.003',
    'rdg_traversal_seconds_sum{stage="total"} 0.0065',
    'rdg_question_seconds_sum{question="count"} 0.004',
  ];
  for (const line of lines) expect(text).toContain(`${line}\n`);
});

test("a scrape takes one look, and counts are not added up from scrape to scrape", async () => {
  const { registry, text, looks } = await scraped();
  expect(looks()).toBe(1);
  expect(await registry.metrics()).toBe(text);
  expect(looks()).toBe(2);
});

test("every metric is documented", async () => {
  const { registry } = await scraped();
  const names = registry.getMetricsAsArray().map(({ name }) => name);
  const page = await readFile(new URL("../../docs/operations.md", import.meta.url), "utf8");
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
