// Far more events than the server takes, from callers that do not give way, small enough for every run: the rest is told when to try again, queries are
// answered, no queue is beyond its bound, and what was accepted is in the graph once. bench/overload.ts is the same at full size, with figures.
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bodiesOf } from "../../bench/bodies.ts";
import { type OpenLoopResult, sendAtRate } from "../../bench/open-loop.ts";
import { PlaybackGenerator } from "../../examples/streaming/generator.ts";
import { accountId } from "../../examples/streaming/playback-event.ts";
import { ServerProcess } from "../crash/server-process.ts";

const eventsPerBody = 200;
const path = "/v1/events/playback";
const grownBytesMax = 250_000_000;
/** What may be beyond a bound: what was under way when it was reached. */
const overshoot: Readonly<Record<string, number>> = { jobs_backlog: 2, job_window: 1.3, log_tail: 1.3 };

let folder: string;
let server: ServerProcess;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-overload-"));
  const graph = fileURLToPath(new URL("../../examples/streaming/graph.ts", import.meta.url));
  server = new ServerProcess(join(folder, "data"), graph);
  const bounds = ["--gateway-in-flight", "600kB", "--gateway-lag", "3MB", "--store-checkpoint", "2MB"];
  await server.start(["--log-level", "error", ...bounds]);
});
afterAll(async () => {
  await server.kill();
  await rm(folder, { recursive: true, force: true });
});

interface Status {
  readonly jobs: readonly { event: string; lagRecords: number; counters: Record<string, number[]> }[];
  readonly store: { readonly lagTransactions: number };
}

async function get<T>(at: string): Promise<T> {
  const response = await fetch(server.url! + at);
  expect(response.status).toBe(200);
  return (await response.json()) as T;
}

async function settled(): Promise<Status> {
  for (;;) {
    const status = await get<Status>("/v1/status");
    if (status.store.lagTransactions === 0 && status.jobs.every(({ lagRecords }) => lagRecords === 0)) return status;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function residentBytes(): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid!}/status`, "utf8"))![1]) * 1024;
}

/** Queues that are further beyond their bounds than may be. */
async function overfull(): Promise<string[]> {
  const text = await (await fetch(`${server.url!}/metrics`)).text();
  const bounds = new Map(
    Array.from(text.matchAll(/^rdg_queue_max(\{.*\}) (.*)$/gm), ([, of, max]) => [of, Number(max)]),
  );
  return Array.from(text.matchAll(/^rdg_queue_fill(\{.*\}) (.*)$/gm), ([, of, fill]) => ({
    of: of!,
    fill: Number(fill),
  }))
    .filter(({ of, fill }) => fill > bounds.get(of)! * (overshoot[/queue="(\w+)"/.exec(of)![1]!] ?? 1))
    .map(({ of, fill }) => `${of}: ${fill} of ${bounds.get(of)!}`);
}

/** Asks traversals and looks at the queues until `load` is over. */
async function probed(load: Promise<OpenLoopResult>): Promise<OpenLoopResult> {
  const state = { isOver: false };
  const over = load.finally(() => (state.isOver = true));
  for (let i = 0; !state.isOver; i++) {
    const body = JSON.stringify({
      from: { type: "account", ids: [accountId(i)] },
      hops: [{ edge: "has_profile" }, { edge: "watched", limit: 50 }],
    });
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${server.url!}/v1/traverse`, { method: "POST", headers, body });
    expect([response.status, await response.json()]).toMatchObject([200, { levels: {} }]);
    if (i % 5 === 0) expect(await overfull()).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return over;
}

test("far beyond what it can take, it does what it can and refuses the rest", { timeout: 60_000 }, async () => {
  const generator = new PlaybackGenerator({ startMs: Date.now() - 3_600_000, accounts: 2_000, titles: 500 });
  const bodies = bodiesOf(generator, 100_000, eventsPerBody);
  const url = new URL(server.url!);
  const load = { url, path, bodies, connectionsMax: 200 };
  const warm = await sendAtRate({ ...load, requestsPerSecond: 50, seconds: 1 });
  await settled();
  const before = residentBytes();
  const result = await probed(sendAtRate({ ...load, requestsPerSecond: 2_000, seconds: 2.5 }));

  const { 202: accepted = 0, 429: refused = 0, ...others } = result.statuses;
  expect(others).toEqual({});
  expect(accepted).toBeGreaterThan(0);
  expect(refused).toBeGreaterThan(0);
  expect(result.withRetryAfter).toBe(refused);
  expect(residentBytes() - before).toBeLessThan(grownBytesMax);

  const status = await settled();
  const job = status.jobs.find(({ event }) => event === "playback")!;
  const received = job.counters["received"]!.reduce((sum, count) => sum + count, 0);
  expect(received).toBe((accepted + (warm.statuses[202] ?? 0)) * eventsPerBody);
  const verification = await (await fetch(`${server.url!}/v1/store/verify`, { method: "POST" })).json();
  expect(verification).toMatchObject({ differences: [], rebuilt: true });

  const after = await sendAtRate({ ...load, requestsPerSecond: 5, seconds: 1 });
  expect(after.statuses).toEqual({ 202: 5 });
});
