// Everything may die at any moment, and everything that was acknowledged is there exactly once: a seeded run of faults over a whole cluster.
//
// CHAOS_SEED=n chooses the same faults again (their moments differ), CHAOS_SECONDS=3600 makes it longer.
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { seededRandom } from "../../src/core/random.ts";
import type { ProcessStatus } from "../../src/observe/port.ts";
import { runCli } from "../cli/run-cli.ts";
import { Chaos } from "./chaos.ts";
import { Reader } from "./reader.ts";
import { RoleProcess } from "./role-process.ts";
import { startKafka } from "./servers.ts";
import { Visits } from "./visits.ts";

const seconds = Number(process.env["CHAOS_SECONDS"] ?? 60);
const seed = Number(process.env["CHAOS_SEED"] ?? Date.now() % 2 ** 31);
const graph = fileURLToPath(new URL("visits.graph.ts", import.meta.url));
const settleMs = 120_000;

test(
  `chaos for ${seconds} s: nothing is lost, doubled or told wrongly`,
  { timeout: seconds * 1_000 + 600_000 },
  async () => {
    const random = seededRandom(seed);
    await using opened = new AsyncDisposableStack();
    const kafka = await startKafka();
    opened.defer(() => kafka.stop());
    const flags = { graph, bootstrap: kafka.bootstrap, prefix: "chaos." };
    const started = async (role: string, registryUrl?: string): Promise<RoleProcess> => {
      const each = await RoleProcess.prepare(role, { ...flags, ...(registryUrl === undefined ? {} : { registryUrl }) });
      opened.defer(() => each.dispose());
      await each.start();
      return each;
    };
    const registry = await started("registry");
    const registryUrl = `${registry.url}/registry`;
    const where = ["--kafka-bootstrap", flags.bootstrap, "--kafka-prefix", flags.prefix, "--registry-url", registryUrl];
    expect(await runCli(["deploy", graph, ...where])).toMatchObject({ code: 0 });
    const roles = ["gateway", "gateway", "jobs", "jobs", "serve", "serve"];
    const processes = await Promise.all(roles.map((role) => started(role, registryUrl)));
    const urlsOf = (wanted: string): string[] => processes.filter(({ role }) => role === wanted).map(({ url }) => url);
    const visits = new Visits(random, urlsOf("gateway"));
    await visits.sendPlaces();
    const reader = new Reader(visits, urlsOf("serve"), random);
    const chaos = new Chaos(seededRandom(seed), [registry, ...processes], kafka);
    let over = false;
    const working = Promise.all([visits.sendUntil(() => over, 100), reader.readUntil(() => over)]);
    try {
      await Promise.race([chaos.rage(seconds * 1_000), working]);
    } finally {
      over = true;
      await working;
    }
    await visits.shown(urlsOf("serve"), settleMs);
    for (const url of urlsOf("serve")) await visits.check(url);
    expect(reader.wrong).toEqual([]);
    expect(await mappedBy(urlsOf("jobs"), visits.acknowledged)).toBe(visits.acknowledged);
    const faults = [...chaos.injected].sort(([a], [b]) => (a < b ? -1 : 1)).map(([what, times]) => `${what} ${times}`);
    console.info(
      `CHAOS_SEED=${seed}: ${chaos.count} faults (${faults.join(", ")}); ${visits.acknowledged} events acknowledged and found once, ` +
        `${visits.repeated} requests repeated; ${reader.answered} reads right, ${reader.late} of them before what was waited for, ${reader.refused.length} unanswered`,
    );
  },
);

/** Events that the workers have mapped, whoever has a partition now: asked until they agree or time is up. */
async function mappedBy(workers: readonly string[], wanted: number): Promise<number> {
  for (const untilMs = Date.now() + settleMs; ;) {
    const statuses = await Promise.all(
      workers.map(async (url) => (await (await fetch(`${url}/v1/status`)).json()) as ProcessStatus),
    );
    const counts = statuses.flatMap(({ jobs }) => jobs.flatMap(({ counters }) => counters["mapped"] ?? []));
    const mapped = counts.reduce((sum, n) => sum + n, 0);
    if (mapped === wanted || Date.now() > untilMs) return mapped;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
