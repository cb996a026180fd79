// Three times the load that RDG can take, by callers that do not give way: memory, the latency of what is accepted and of queries, what the rest is told,
// how much is still done, and that nothing accepted is lost. `node --conditions=rdg-source bench/overload.ts [--seconds 20] [--times 3]`
// prints JSON.
//
// Who sends more uses more CPU, and what it takes from the server would count as the server's loss. So, where the system has taskset, the last core is
// the sender's and the probes' and the others are the server's, at the maximum and under overload alike. All events are new.
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { accountId } from "../examples/streaming/playback-event.ts";
import { eventsPerBody } from "./bodies.ts";
import { separateCores } from "./cores.ts";
import { type SenderAnswer, startEventSender } from "./event-sender.ts";
import { percentile } from "./percentile.ts";
import { usageOf, usedBetween } from "./process-usage.ts";
import { removeData, startStreamingServer, temporaryData, type StreamingServer } from "./streaming-server.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "20" },
    times: { type: "string", default: "3" },
    /** Events per second to offer, instead of so many times what was measured. */
    rate: { type: "string" },
    /** Of the server: `"--flags=--gateway-lag 32MB"`. */
    flags: { type: "string", default: "" },
    connections: { type: "string", default: "2000" },
    /** Sender and server share all cores. */
    shared: { type: "boolean", default: false },
  },
});
const seconds = Number(values.seconds);
const path = "/v1/events/playback";

/** Events that the job has received since it first ran. */
async function received(server: StreamingServer): Promise<number> {
  const { jobs } = await server.status();
  return jobs.find(({ event }) => event === "playback")!.counters["received"]!.reduce((sum, count) => sum + count, 0);
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;
}

/** Traversals one after the other until told to stop: their latencies. */
async function probe(server: StreamingServer, running: () => boolean): Promise<Record<string, number>> {
  const milliseconds: number[] = [];
  for (let i = 0; running(); i++) {
    const body = JSON.stringify({
      from: { type: "account", ids: [accountId((i * 7919) % 200_000)] },
      hops: [
        { edge: "has_profile", limit: 50 },
        { edge: "watched", order: "latest", limit: 50 },
      ],
    });
    const startedMs = performance.now();
    const headers = { "content-type": "application/json" };
    const response = await fetch(new URL("/v1/traverse", server.url), { method: "POST", headers, body });
    await response.text();
    if (response.status !== 200) throw new Error(`A traversal was answered ${response.status}.`);
    milliseconds.push(performance.now() - startedMs);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return percentiles(Float64Array.from(milliseconds).toSorted());
}

function percentiles(sorted: Float64Array): Record<string, number> {
  const at = (share: number): number => Number((percentile(sorted, share) ?? 0).toFixed(1));
  return { samples: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** The greatest fill of every queue that was seen, as a share of its bound. */
async function watchQueues(server: StreamingServer, running: () => boolean): Promise<Record<string, number>> {
  const greatest: Record<string, number> = {};
  while (running()) {
    const text = await (await fetch(new URL("/metrics", server.url))).text();
    const bounds = new Map(
      [...text.matchAll(/^rdg_queue_max(\{.*\}) (.*)$/gm)].map(([, of, max]) => [of, Number(max)]),
    );
    for (const [, of, fill] of text.matchAll(/^rdg_queue_fill(\{.*\}) (.*)$/gm)) {
      const share = Number((Number(fill) / bounds.get(of)!).toFixed(3));
      const [, queue, which, unit] = /queue="(.*)",of="(.*)",unit="(.*)"/.exec(of!)!;
      const name = [queue, which, unit].filter((part) => part !== "").join(" ");
      if (share > (greatest[name] ?? 0.01)) greatest[name] = share;
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return greatest;
}

/** Resident memory second by second, and what of it is not the graph. */
async function watchMemory(server: StreamingServer, running: () => boolean): Promise<Record<string, number[]>> {
  const [resident, besidesGraph]: [number[], number[]] = [[], []];
  while (running()) {
    const { store } = await server.status();
    const bytes = residentBytes(server.pid);
    resident.push(Math.round(bytes / 1e6));
    besidesGraph.push(Math.round((bytes - store.memoryBytes) / 1e6));
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  return { resident, besidesGraph };
}

/** Runs `load` with the probes beside it; how much the job received meanwhile. */
async function observed<T>(
  server: StreamingServer,
  load: () => Promise<T>,
): Promise<{ result: T; figures: object; eventsPerSecond: number }> {
  let isRunning = true;
  const running = (): boolean => isRunning;
  const [before, usage] = [await received(server), usageOf(server.pid)];
  const startedMs = performance.now();
  const watching = Promise.all([probe(server, running), watchQueues(server, running), watchMemory(server, running)]);
  const result = await load();
  const after = await received(server);
  const wallSeconds = (performance.now() - startedMs) / 1000;
  const used = usedBetween(usage, usageOf(server.pid));
  isRunning = false;
  const [traversalsMs, queuesMax, megabytes] = await watching;
  const eventsPerSecond = Math.round((after - before) / wallSeconds);
  const cpuCores = Number((used.cpuSeconds / wallSeconds).toFixed(2));
  return { result, eventsPerSecond, figures: { eventsPerSecond, cpuCores, traversalsMs, megabytes, queuesMax } };
}

// The probes, too, are beside the sender.
const cores = values.shared ? { serverCores: cpus().length, server: [], sender: [] } : separateCores();
const data = await temporaryData();
const flags = values.flags.split(" ").filter((flag) => flag !== "");
const server = await startStreamingServer(data, { flags, prefix: cores.server });
const sender = startEventSender(cores.sender);
try {
  let accepted = 0;
  const count = (answer: SenderAnswer): SenderAnswer => {
    accepted += (answer.statuses[202] ?? 0) * eventsPerBody;
    return answer;
  };
  const to = { url: server.url.href, path };
  const closedLoop = async (duration: number): Promise<SenderAnswer> =>
    count(await sender.run({ kind: "closed", ...to, inFlight: 16, seconds: duration }));
  /** More than are taken in that time. */
  const prepare = (duration: number): Promise<void> => sender.prepare(Math.ceil((duration * 250_000) / eventsPerBody));
  await prepare(5);
  await closedLoop(5);
  await server.settled();
  const maximum = async () => {
    await prepare(seconds);
    const observation = await observed(server, () => closedLoop(seconds));
    await server.settled();
    return observation;
  };
  const capacity = await maximum();
  const rate = Number(values.rate ?? Number(values.times) * capacity.eventsPerSecond);
  const requestsPerSecond = rate / eventsPerBody;
  const connectionsMax = Number(values.connections);
  await prepare(seconds);
  const overload = await observed(server, async () =>
    count(await sender.run({ kind: "open", ...to, requestsPerSecond, seconds, connectionsMax })),
  );
  const settleFromMs = performance.now();
  await server.settled();
  const settleSeconds = Number(((performance.now() - settleFromMs) / 1000).toFixed(1));
  // Again: the machine may have had other work before, and the graph has grown.
  const again = await maximum();
  const best = Math.max(capacity.eventsPerSecond, again.eventsPerSecond);
  const { statuses, unsent, acceptedMs, refusedMs, withRetryAfter, connections } = overload.result;
  const figures = {
    machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version },
    serverCores: cores.serverCores,
    senderApart: cores.sender.length > 0,
    capacity: {
      before: { ...capacity.figures, senderCores: capacity.result.cpuCores },
      after: { ...again.figures, senderCores: again.result.cpuCores },
    },
    overload: {
      offeredEventsPerSecond: Math.round(requestsPerSecond * eventsPerBody),
      ...overload.figures,
      senderCores: overload.result.cpuCores,
      shareOfCapacity: Number((overload.eventsPerSecond / best).toFixed(2)),
      statuses,
      unsent,
      connections,
      acceptedMs: percentiles(acceptedMs),
      refusedMs: percentiles(refusedMs),
      refusalsWithRetryAfter: withRetryAfter,
      settleSeconds,
    },
    lost: accepted - (await received(server)),
  };
  process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);
} finally {
  sender.stop();
  await server.stop("SIGKILL");
  await removeData(data);
}
