// RDG's metrics for Prometheus: every queue with its fill and its bound, what each stage counts by partition; all taken when it is scraped. (What traversals cost is
// told one by one: traversal-metrics.ts.) Names are part of the contract: docs/operations.md lists them.
import { Counter, Gauge, type Registry } from "prom-client";
import type { StoreStatistics } from "../store/port.ts";
import type { JobStatus, StoreWriting } from "./port.ts";

/** Something bounded. `of` names which one where there are several: a job, a partition. */
export interface QueueFill {
  readonly queue: string;
  readonly of?: string;
  readonly unit:
    | "bytes"
    | "requests"
    | "connections"
    | "records"
    | "transactions"
    | "elements"
    | "ids"
    | "readers"
    | "callers"
    | "tokens";
  readonly fill: number;
  readonly max: number;
}

/**
 * Everything at one moment, of the parts that the process has. Counts grow from when the process started, those of jobs from when the job first ran.
 */
export interface Measures {
  readonly ready: boolean;
  /** Whether events are refused now. */
  readonly refusing: boolean;
  readonly queues: readonly QueueFill[];
  readonly gateway?: GatewayMeasures;
  readonly jobs: readonly JobStatus[];
  readonly sideInputs: readonly SideInputMeasures[];
  readonly log?: LogMeasures;
  readonly store?: StoreStatistics & { readonly appliedOffset: number; readonly lagTransactions: number };
  readonly writing?: StoreWriting;
  readonly process: { readonly residentBytes: number; readonly cpuSeconds: number; readonly uptimeSeconds: number };
}

interface GatewayMeasures {
  readonly refusedRequests: number;
  /** Bad records that belong to no target. */
  readonly strays: { readonly rejected: number; readonly quarantined: number };
  readonly targets: readonly {
    readonly kind: string;
    readonly name: string;
    readonly rejected: number;
    readonly quarantined: number;
    readonly partitions: readonly { readonly accepted: number; readonly repeated: number; readonly bytes: number }[];
  }[];
}

interface SideInputMeasures {
  readonly name: string;
  readonly rows: number;
  readonly sizeBytes: number;
  readonly malformed: number;
}

interface StreamMeasures {
  readonly segments: number;
  readonly sizeBytes: number;
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly readers: number;
  readonly failure: string | undefined;
}

interface LogMeasures {
  readonly bytesWritten: number;
  readonly framesWritten: number;
  readonly syncs: number;
  readonly partitions: readonly (StreamMeasures & { readonly topic: string; readonly partition: number })[];
  readonly journal: StreamMeasures;
}

/** The labels' values in order, then the value. */
type Sample = readonly [...labels: (string | number)[], value: number];

interface Definition {
  readonly kind: "gauge" | "counter";
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  readonly samples: (measures: Measures) => readonly Sample[];
}

const jobStates = ["starting", "running", "paused", "retrying", "stopped"] as const;
const eventOutcomes = ["received", "expired", "filtered", "deduplicated", "quarantined", "mapped"] as const;
const updateOutcomes = ["emitted", "skipped", "merged", "published"] as const;

const definitions: readonly Definition[] = [
  {
    kind: "gauge",
    name: "ready",
    help: "1 once the graph has caught up with the log.",
    samples: ({ ready }) => [[ready ? 1 : 0]],
  },
  {
    kind: "gauge",
    name: "refusing_events",
    help: "1 while events are refused: jobs lag behind, or the store takes no more.",
    samples: ({ refusing }) => [[refusing ? 1 : 0]],
  },
  {
    kind: "gauge",
    name: "queue_fill",
    help: "How much of something bounded is in use.",
    labels: ["queue", "of", "unit"],
    samples: ({ queues }) => queues.map(({ queue, of = "", unit, fill }) => [queue, of, unit, fill]),
  },
  {
    kind: "gauge",
    name: "queue_max",
    help: "The bound of what rdg_queue_fill says.",
    labels: ["queue", "of", "unit"],
    samples: ({ queues }) => queues.map(({ queue, of = "", unit, max }) => [queue, of, unit, max]),
  },
  {
    kind: "counter",
    name: "gateway_records_total",
    help: "Records by what became of them: accepted, or repeated under an idempotency key.",
    labels: ["kind", "name", "partition", "outcome"],
    samples: ({ gateway }) =>
      (gateway?.targets ?? []).flatMap(({ kind, name, partitions }) =>
        partitions.flatMap(({ accepted, repeated }, partition): Sample[] => [
          [kind, name, partition, "accepted", accepted],
          [kind, name, partition, "repeated", repeated],
        ]),
      ),
  },
  {
    kind: "counter",
    name: "gateway_bytes_total",
    help: "Bytes of accepted records, as stored.",
    labels: ["kind", "name", "partition"],
    samples: ({ gateway }) =>
      (gateway?.targets ?? []).flatMap(({ kind, name, partitions }) =>
        partitions.map(({ bytes }, partition): Sample => [kind, name, partition, bytes]),
      ),
  },
  {
    kind: "counter",
    name: "gateway_bad_records_total",
    help: "Records refused with their request, and records quarantined; of kind unknown where they belong to no event or side input.",
    labels: ["kind", "name", "outcome"],
    samples: ({ gateway }) =>
      (gateway ? [...gateway.targets, { kind: "unknown", name: "", ...gateway.strays }] : []).flatMap(
        ({ kind, name, rejected, quarantined }): Sample[] => [
          [kind, name, "rejected", rejected],
          [kind, name, "quarantined", quarantined],
        ],
      ),
  },
  {
    kind: "counter",
    name: "gateway_refused_requests_total",
    help: "Requests that the gateway refused because a bound was reached or it takes nothing.",
    samples: ({ gateway }) => (gateway ? [[gateway.refusedRequests]] : []),
  },
  {
    kind: "counter",
    name: "job_events_total",
    help: "Events by what became of them: received = expired + filtered + deduplicated + quarantined + mapped.",
    labels: ["job", "partition", "outcome"],
    samples: ({ jobs }) => countersOf(jobs, eventOutcomes),
  },
  {
    kind: "counter",
    name: "job_updates_total",
    help: "Updates by what became of them: emitted = merged + published; skipped ones had no id. Merged and published are told for partition 0.",
    labels: ["job", "partition", "outcome"],
    samples: ({ jobs }) => countersOf(jobs, updateOutcomes),
  },
  {
    kind: "gauge",
    name: "job_state",
    help: "1 for the state that the job is in.",
    labels: ["job", "state"],
    samples: ({ jobs }) =>
      jobs.flatMap(({ event, state }) => jobStates.map((each): Sample => [event, each, each === state ? 1 : 0])),
  },
  {
    kind: "gauge",
    name: "job_lag_records",
    help: "Events that the job has not processed yet.",
    labels: ["job"],
    samples: ({ jobs }) => jobs.map(({ event, lagRecords }) => [event, lagRecords]),
  },
  {
    kind: "gauge",
    name: "side_input_rows",
    help: "Rows of the side input in memory.",
    labels: ["input"],
    samples: ({ sideInputs }) => sideInputs.map(({ name, rows }) => [name, rows]),
  },
  {
    kind: "counter",
    name: "side_input_malformed_rows_total",
    help: "Rows that could not be read; they are as if they had not come.",
    labels: ["input"],
    samples: ({ sideInputs }) => sideInputs.map(({ name, malformed }) => [name, malformed]),
  },
  {
    kind: "counter",
    name: "log_syncs_total",
    help: "Syncs (fsync) of the log's files.",
    samples: ({ log }) => (log ? [[log.syncs]] : []),
  },
  {
    kind: "counter",
    name: "log_written_bytes_total",
    help: "Bytes written to the log's files.",
    samples: ({ log }) => (log ? [[log.bytesWritten]] : []),
  },
  {
    kind: "counter",
    name: "log_written_frames_total",
    help: "Frames (batches of records, transactions) written to the log's files.",
    samples: ({ log }) => (log ? [[log.framesWritten]] : []),
  },
  ...streamGauge("log_size_bytes", "Size of the files.", ({ sizeBytes }) => sizeBytes),
  ...streamGauge("log_segments", "Segment files.", ({ segments }) => segments),
  ...streamGauge("log_first_offset", "First offset that is kept.", ({ firstOffset }) => firstOffset),
  ...streamGauge("log_next_offset", "Offset that comes next.", ({ nextOffset }) => nextOffset),
  ...streamGauge("log_readers", "Readers that are open.", ({ readers }) => readers),
  ...streamGauge("log_failed", "1 while appends are rejected because a write failed.", ({ failure }) =>
    failure === undefined ? 0 : 1,
  ),
  {
    kind: "gauge",
    name: "store_elements",
    help: "Nodes and edges held, visible or not.",
    labels: ["kind", "type"],
    samples: ({ store }) => [
      ...Object.entries(store?.nodes ?? {}).map(([type, count]): Sample => ["node", type, count]),
      ...Object.entries(store?.edges ?? {}).map(([type, count]): Sample => ["edge", type, count]),
    ],
  },
  {
    kind: "gauge",
    name: "store_applied_offset",
    help: "Offset of the last transaction that is in the graph; -1 before the first.",
    samples: ({ store }) => (store ? [[store.appliedOffset]] : []),
  },
  {
    kind: "gauge",
    name: "store_lag_transactions",
    help: "Transactions in the journal that are not in the graph yet.",
    samples: ({ store }) => (store ? [[store.lagTransactions]] : []),
  },
  {
    kind: "gauge",
    name: "store_writing",
    help: "1 while this process writes to the store that processes share, 0 while it stands by.",
    samples: ({ writing }) => (writing ? [[writing.state === "writing" ? 1 : 0]] : []),
  },
  {
    kind: "gauge",
    name: "store_parts",
    help: "Parts of the shared graph that this process writes.",
    samples: ({ writing }) => (writing ? [[writing.parts.length]] : []),
  },
  {
    kind: "gauge",
    name: "store_repairs_waiting",
    help: "Writes in the repair queue, of all processes.",
    samples: ({ writing }) => (writing ? [[writing.repairs.waiting]] : []),
  },
  {
    kind: "gauge",
    name: "store_repairs_oldest_timestamp_seconds",
    help: "When the write came into the repair queue that this process has to make next, in seconds since the epoch.",
    samples: ({ writing }) => (writing?.repairs.oldestMs === undefined ? [] : [[writing.repairs.oldestMs / 1_000]]),
  },
  {
    kind: "counter",
    name: "store_repairs_total",
    help: "Writes that the store did not take: queued by this process, and made by it.",
    labels: ["outcome"],
    samples: ({ writing }) =>
      writing
        ? [
            ["queued", writing.repairs.queued],
            ["repaired", writing.repairs.repaired],
          ]
        : [],
  },
  {
    kind: "counter",
    name: "store_sweeps_total",
    help: "Sweeps of the shared store by their outcome.",
    labels: ["outcome"],
    samples: ({ writing }) =>
      writing
        ? [
            ["completed", writing.sweep.completed],
            ["failed", writing.sweep.failed],
          ]
        : [],
  },
  {
    kind: "counter",
    name: "store_swept_total",
    help: "What sweeps took away: rows of lists, lives that were over, sets that were cut to their bound.",
    labels: ["what"],
    samples: ({ writing }) => Object.entries(writing?.sweep.swept ?? {}),
  },
  {
    kind: "gauge",
    name: "store_sweep_completed_timestamp_seconds",
    help: "When this process completed its last sweep, in seconds since the epoch.",
    samples: ({ writing }) => (writing?.sweep.completedMs === undefined ? [] : [[writing.sweep.completedMs / 1_000]]),
  },
  {
    kind: "gauge",
    name: "process_resident_bytes",
    help: "Memory of the process.",
    samples: ({ process }) => [[process.residentBytes]],
  },
  {
    kind: "counter",
    name: "process_cpu_seconds_total",
    help: "CPU time of all threads of the process.",
    samples: ({ process }) => [[process.cpuSeconds]],
  },
  {
    kind: "gauge",
    name: "process_uptime_seconds",
    help: "Time since the process opened its data folder.",
    samples: ({ process }) => [[process.uptimeSeconds]],
  },
];

/** Per partition of record topics; the journal has all type topics. */
function streamGauge(name: string, help: string, valueOf: (stream: StreamMeasures) => number): Definition[] {
  const samples = ({ log }: Measures): Sample[] =>
    log === undefined
      ? []
      : [
          ...log.partitions.map((stream): Sample => [stream.topic, stream.partition, valueOf(stream)]),
          ["journal", 0, valueOf(log.journal)],
        ];
  return [{ kind: "gauge", name, help, labels: ["topic", "partition"], samples }];
}

function countersOf(jobs: readonly JobStatus[], outcomes: readonly string[]): Sample[] {
  return jobs.flatMap(({ event, counters }) =>
    outcomes.flatMap((outcome) =>
      (counters[outcome] ?? []).map((count, partition): Sample => [event, partition, outcome, count]),
    ),
  );
}

/** @param measure is called once per scrape */
export function registerMetrics(registry: Registry, measure: () => Promise<Measures>): void {
  let current: Promise<Measures> | undefined;
  // All metrics are collected at once: they share one look.
  const look = (): Promise<Measures> => {
    current ??= measure().finally(() => {
      current = undefined;
    });
    return current;
  };
  for (const definition of definitions) registry.registerMetric(metricOf(definition, look));
}

function metricOf(
  { kind, name, help, labels = [], samples }: Definition,
  look: () => Promise<Measures>,
): Gauge | Counter {
  const shape = { name: `rdg_${name}`, help, labelNames: [...labels], registers: [] };
  const write = async (reset: () => void, put: (labels: Record<string, string | number>, value: number) => void) => {
    const found = samples(await look());
    reset();
    for (const sample of found) {
      put(Object.fromEntries(labels.map((label, i) => [label, sample[i]!])), sample[labels.length] as number);
    }
  };
  if (kind === "gauge") {
    const gauge: Gauge = new Gauge({
      ...shape,
      collect: () =>
        write(
          () => gauge.reset(),
          (at, value) => gauge.set(at, value),
        ),
    });
    return gauge;
  }
  const counter: Counter = new Counter({
    ...shape,
    collect: () =>
      write(
        () => counter.reset(),
        (at, value) => counter.inc(at, value),
      ),
  });
  return counter;
}
