// Chaos, in a sandbox (sandbox.ts): a whole cluster on test hosts, faults at random, clients that write and read all the time and know what they must be told.
//
// Every fault is undone. At the end everything that was acknowledged is there once, everywhere; meanwhile no answer was wrong, and no read was left unanswered
// but by processes to which something was done.
import { equal } from "node:assert/strict";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { seededRandom } from "../../../src/core/random.ts";
import type { ProcessStatus } from "../../../src/observe/port.ts";
import { runCli } from "../../cli/run-cli.ts";
import { Reader } from "../reader.ts";
import { peopleIds, Visits } from "../visits.ts";
import { Chaos } from "./chaos.ts";
import { type ChaosCluster, startCluster } from "./cluster.ts";
import { Excuses } from "./excuses.ts";
import { Hosts } from "./hosts.ts";
import { rebalanceUntil } from "./rebalances.ts";
import { faketimeVariable } from "./sandbox.ts";

const graph = fileURLToPath(new URL("../visits.graph.ts", import.meta.url));
/** Until everything that is acknowledged is to be seen everywhere. */
const settleMs = 180_000;
const sendsEveryMs = 100;

// Whoever started this is gone: so is the sandbox, and everything in it.
process.stdin
  .on("close", () => {
    rmSync(tmpdir(), { recursive: true, force: true, maxRetries: 3 });
    process.exit(1);
  })
  .resume();

const { values } = parseArgs({ options: { seconds: { type: "string" }, seed: { type: "string" } } });
const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
const startedMs = performance.now();
const tell = (line: string): void => console.log(`${((performance.now() - startedMs) / 1000).toFixed(1)} ${line}`);

try {
  await run();
  process.exit(0);
} catch (error) {
  console.error(error);
  process.exit(1);
}

async function run(): Promise<void> {
  const random = seededRandom(seed);
  // Of its own, so that the same seed chooses the same faults.
  const ofFaults = seededRandom(seed);
  const hosts = await Hosts.open(tmpdir());
  await using opened = new AsyncDisposableStack();
  const cluster = await startCluster({ graph, hosts, faketime: process.env[faketimeVariable]! }, opened);
  tell("everything is started");
  const serving = [...cluster.urlsOf("replica"), ...cluster.urlsOf("server")];
  const visits = new Visits(random, cluster.urlsOf("gateway"));
  await visits.sendPlaces();
  const excuses = new Excuses();
  const mayFail = (url: string, sinceMs: number): boolean => excuses.had(url, sinceMs);
  const readers = (["replica", "server"] as const).map((kind) => {
    return { kind, reader: new Reader(visits, cluster.urlsOf(kind), random, mayFail) };
  });
  const answers = async (url: string): Promise<boolean> => {
    const answered = await visits.read(url, peopleIds.slice(0, 1), []).then(
      () => true,
      () => false,
    );
    if (!answered) await sleep(100);
    return answered;
  };
  const groups = [cluster.urlsOf("replica"), cluster.urlsOf("server")];
  const chaos = new Chaos({ random: ofFaults, faults: cluster.faults(ofFaults), excuses, groups, answers, tell });
  let over = false;
  const isOver = (): boolean => over;
  const rebalancing = rebalanceUntil(isOver, { ...cluster, event: "visit" }, random);
  const working = Promise.all([
    visits.sendUntil(isOver, sendsEveryMs),
    ...readers.map(({ reader }) => reader.readUntil(isOver)),
  ]);
  try {
    await Promise.race([chaos.rage(seconds * 1000), working]);
  } finally {
    over = true;
    await working;
  }
  const rebalances = await rebalancing;
  tell("everybody is well again");
  await visits.shown(serving, settleMs);
  for (const url of serving) await visits.check(url);
  equal(await mappedBy(cluster, visits.acknowledged), visits.acknowledged, "events mapped by the workers");
  equal(await differing(serving), undefined, "exports of replicas and of Cassandra");
  for (const { reader } of readers) {
    equal(reader.wrong.join("\n"), "", "answers that were wrong");
    equal(reader.unexcused.join("\n"), "", "reads that were not answered by processes that were well");
  }
  const faults = [...chaos.injected].sort(([a], [b]) => (a < b ? -1 : 1));
  console.log(
    `CHAOS_SEED=${seed}: ${faults.reduce((sum, [, times]) => sum + times, 0)} faults: ` +
      `${faults.map(([what, times]) => `${what} ${times}`).join(", ")}; ${rebalances} rebalances`,
  );
  console.log(
    `${visits.acknowledged} events acknowledged, and found once in each of ${serving.length} serving processes; ${visits.repeated} requests repeated`,
  );
  for (const { kind, reader } of readers) {
    console.log(
      `reads of ${kind === "replica" ? "replicas" : "Cassandra"}: ${reader.asked} asked, ${reader.answered} answered and right, ` +
        `${reader.late} of them before what was waited for, ${reader.passedOn} by another process than the first, ${reader.refused.length} unanswered while nobody was well`,
    );
  }
}

/** Events that the workers have mapped, whoever has a partition now: asked until they agree or time is up. */
async function mappedBy(cluster: ChaosCluster, wanted: number): Promise<number> {
  for (const untilMs = performance.now() + settleMs; ;) {
    const statuses = await Promise.all(
      cluster.urlsOf("worker").map(async (url) => (await (await fetch(`${url}/v1/status`)).json()) as ProcessStatus),
    );
    const counts = statuses.flatMap(({ jobs }) => jobs.flatMap(({ counters }) => counters["mapped"] ?? []));
    const mapped = counts.reduce((sum, n) => sum + n, 0);
    if (mapped === wanted || performance.now() > untilMs) return mapped;
    await sleep(100);
  }
}

/** The first of the serving processes whose graph is not, byte by byte, that of the first. */
async function differing([first, ...others]: readonly string[]): Promise<string | undefined> {
  const exportOf = async (url: string): Promise<string> => {
    const { code, out, err } = await runCli(["export", "--canonical", "--url", url]);
    equal(code, 0, err);
    return out;
  };
  const expected = await exportOf(first!);
  for (const url of others) if ((await exportOf(url)) !== expected) return url;
  return undefined;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
