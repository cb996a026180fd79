// The process that sends queries: told by a message what to send, answers with the figures. It does as little per request as it can.
//
// Open loop: requests are due at random moments (a Poisson process) of a fixed rate, whatever the answers do; latency counts from when a request was due, so a
// server that stalls is charged for all that would have come meanwhile. Connections are open, and each has had an answer, before the clock starts. To be on time the process does not sleep while the next request is less than
// two milliseconds away: it takes a core of its own then. Closed loop: every connection sends its next request when it has its answer.
import { seededRandom } from "../src/core/random.ts";
import { GrpcConnection, grpcCall } from "./grpc-connection.ts";
import { type Answered, HttpConnection, httpBytes } from "./http-connection.ts";
import { percentile } from "./percentile.ts";
import { type MixOptions, queriesOf } from "./query-mixes.ts";

export interface LoadJob {
  readonly protocol: "http" | "grpc";
  /** `127.0.0.1:7400` */
  readonly address: string;
  readonly mix: MixOptions;
  readonly seconds: number;
  readonly connections: number;
  /** Missing: closed loop. */
  readonly requestsPerSecond?: number;
}

export interface LoadFigures {
  readonly requestsPerSecond: number;
  readonly latencyMs: Readonly<Record<string, number>>;
  /** Open loop: how late the requests were sent. What is left of the latency is between sending and the answer. */
  readonly sentLateMs?: Readonly<Record<string, number>>;
  readonly answeredMs?: Readonly<Record<string, number>>;
  /** Open loop: p99 of each half second by itself, the lowest, the median and the highest. */
  readonly windowP99Ms?: readonly [number, number, number];
  /** By status; 0: the connection ended. */
  readonly failed: Readonly<Record<number, number>>;
  readonly answerBytesMean: number;
  readonly requests: number;
  readonly loadCpuUsPerRequest: number;
}

/** Sends one request and is told of its answer; then it may be used again. */
interface Connection<R> {
  send(request: R, done: Answered): void;
  close(): void;
}

interface Prepared<R> {
  readonly requests: readonly R[];
  readonly connections: readonly Connection<R>[];
}

const different = 20_000;
const windowMs = 500;
const drainMs = 5_000;

class Tally {
  readonly latenciesMs: number[] = [];
  readonly lateMs: number[] = [];
  readonly answeredMs: number[] = [];
  readonly windows = new Map<number, number[]>();
  readonly failed: Record<number, number> = {};
  bytes = 0;
  answered = 0;

  add(status: number, bytes: number, sinceMs: number): void {
    this.answered++;
    this.bytes += bytes;
    this.latenciesMs.push(performance.now() - sinceMs);
    if (status !== 200) this.failed[status] = (this.failed[status] ?? 0) + 1;
  }

  /** Of an open loop: `dueMs` since it began. */
  addDue(dueMs: number, latencyMs: number, sentLateMs: number): void {
    this.answeredMs.push(latencyMs - sentLateMs);
    const number = Math.floor(dueMs / windowMs);
    const window = this.windows.get(number);
    if (window === undefined) this.windows.set(number, [latencyMs]);
    else window.push(latencyMs);
  }
}

async function closedLoop<R>(job: LoadJob, { requests, connections }: Prepared<R>, tally: Tally): Promise<void> {
  const endMs = performance.now() + job.seconds * 1000;
  let next = 0;
  const lane = (connection: Connection<R>): Promise<void> =>
    new Promise((resolve) => {
      const again = (): void => {
        const sentMs = performance.now();
        if (sentMs >= endMs) return resolve();
        connection.send(requests[next++ % requests.length]!, (status, bytes) => {
          tally.add(status, bytes, sentMs);
          if (status === 0) resolve();
          else again();
        });
      };
      again();
    });
  const awake = stayAwake();
  await Promise.all(connections.map(lane));
  awake.stop();
}

/**
 * Looks for answers without sleeping. A process that sleeps is woken by whoever sends it something: on a virtual machine that costs the server, on whose account it
 * goes, more than sending a small answer does; from another machine it would cost it nothing.
 */
function stayAwake(): { stop(): void } {
  let running = true;
  const again = (): void => {
    if (running) setImmediate(again);
  };
  again();
  return { stop: () => void (running = false) };
}

async function openLoop<R>(job: LoadJob, rate: number, prepared: Prepared<R>, tally: Tally): Promise<void> {
  const { requests, connections } = prepared;
  const random = seededRandom(job.mix.seed + 1);
  const idle = [...connections];
  /** Due, and waiting for a connection. */
  const due: number[] = [];
  let sent = 0;
  const startedMs = performance.now();
  const send = (connection: Connection<R>, dueMs: number): void => {
    const lateMs = performance.now() - dueMs;
    tally.lateMs.push(lateMs);
    connection.send(requests[sent++ % requests.length]!, (status, bytes) => {
      tally.add(status, bytes, dueMs);
      tally.addDue(dueMs - startedMs, performance.now() - dueMs, lateMs);
      const waiting = due.shift();
      if (waiting !== undefined) send(connection, waiting);
      else idle.push(connection);
    });
  };
  const endMs = startedMs + job.seconds * 1000;
  let nextMs = startedMs;
  while (nextMs < endMs) {
    const nowMs = performance.now();
    for (; nextMs <= nowMs; nextMs -= (Math.log((random.below(2 ** 32) + 1) / (2 ** 32 + 1)) * 1000) / rate) {
      const connection = idle.pop();
      if (connection === undefined) due.push(nextMs);
      else send(connection, nextMs);
    }
    if (nextMs - nowMs > 2) await new Promise((resolve) => setTimeout(resolve, nextMs - nowMs - 1.5));
    else await new Promise((resolve) => setImmediate(resolve));
  }
  while (tally.answered < sent + due.length && performance.now() < endMs + drainMs) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Opening them is work of the server's, too, which would make the first requests wait; it is none that comes with every request. */
async function openAll<R>({ requests, connections }: Prepared<R>): Promise<void> {
  const first = requests[0]!;
  await Promise.all(
    connections.map((connection) => new Promise<void>((resolve) => connection.send(first, () => resolve()))),
  );
}

function ofOpenLoop({ lateMs, answeredMs, windows }: Tally): Partial<LoadFigures> {
  const p99s = Float64Array.from([...windows.values()].map((window) => percentilesOf(window)["p99"]!)).toSorted();
  const windowP99Ms = [percentile(p99s, 0), percentile(p99s, 0.5), percentile(p99s, 1)] as const;
  return { sentLateMs: percentilesOf(lateMs), answeredMs: percentilesOf(answeredMs), windowP99Ms };
}

function percentilesOf(values: readonly number[]): Record<string, number> {
  const sorted = Float64Array.from(values).toSorted();
  const at = (share: number): number => percentile(sorted, share);
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) };
}

async function run(job: LoadJob): Promise<LoadFigures> {
  const queries = queriesOf(job.mix, different);
  const { protocol, address, connections } = job;
  if (protocol === "grpc") {
    return send(job, { requests: queries.map(grpcCall), connections: GrpcConnection.open(address, connections) });
  }
  return send(job, {
    requests: queries.map((query) => httpBytes(query, address)),
    connections: Array.from({ length: connections }, () => new HttpConnection(address)),
  });
}

async function send<R>(job: LoadJob, prepared: Prepared<R>): Promise<LoadFigures> {
  await openAll(prepared);
  const tally = new Tally();
  const [cpu, startedMs] = [process.cpuUsage(), performance.now()];
  const rate = job.requestsPerSecond;
  await (rate === undefined ? closedLoop(job, prepared, tally) : openLoop(job, rate, prepared, tally));
  for (const connection of prepared.connections) connection.close();
  const seconds = Math.max(job.seconds, (performance.now() - startedMs) / 1000);
  const { user, system } = process.cpuUsage(cpu);
  return {
    requestsPerSecond: Math.round(tally.answered / seconds),
    latencyMs: percentilesOf(tally.latenciesMs),
    ...(rate === undefined ? {} : ofOpenLoop(tally)),
    failed: tally.failed,
    answerBytesMean: Math.round(tally.bytes / tally.answered),
    requests: tally.answered,
    loadCpuUsPerRequest: Math.round((user + system) / tally.answered),
  };
}

if (process.send !== undefined) {
  process.on("message", (job: LoadJob) => {
    run(job).then(
      (figures) => process.send!({ figures }),
      (error: unknown) => process.send!({ error: String(error) }),
    );
  });
}
