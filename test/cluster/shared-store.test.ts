// A store that processes share, Cassandra: two writers that share it, two stateless serving processes; a killed one is not missed, and what
// nobody needs any more is swept away.
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { systemTimers } from "../../src/core/clock.ts";
import { seededRandom } from "../../src/core/random.ts";
import type { ProcessStatus } from "../../src/observe/port.ts";
import { runCli } from "../cli/run-cli.ts";
import { firstSeed } from "../first-seed.ts";
import { Reader } from "./reader.ts";
import { type ClusterFlags, RoleProcess } from "./role-process.ts";
import { sharedCassandra, sharedKafka, uniqueName } from "./shared.ts";
import { Visits } from "./visits.ts";

const graph = fileURLToPath(new URL("visits.graph.ts", import.meta.url));

/** Resolves when they write all parts of the graph together, each some of them. */
async function shareParts(writers: readonly RoleProcess[]): Promise<void> {
  for (;;) {
    const all = await Promise.all(writers.map(async ({ url }) => (await statusOf(url)).writing!));
    const parts = all.flatMap((each) => each.parts).sort((a, b) => a - b);
    const isCut = all.every((each) => each.parts.length > 0) && parts.every((part, i) => part === i);
    if (isCut && parts.length === all[0]!.partsOf) return;
    await systemTimers.sleep(100);
  }
}

async function statusOf(url: string): Promise<ProcessStatus> {
  return (await (await fetch(`${url}/v1/status`)).json()) as ProcessStatus;
}

/** Resolves when one of them has swept what earlier sightings of edges left in lists. */
async function sweptBy(writers: readonly RoleProcess[]): Promise<void> {
  for (;;) {
    for (const { url, isRunning } of writers) {
      const { writing } = isRunning ? await statusOf(url) : {};
      if (writing !== undefined && writing.sweep.completed > 0 && writing.sweep.swept.listed > 0) {
        const metrics = await (await fetch(`${url}/metrics`)).text();
        expect(metrics).toMatch(/^rdg_store_swept_total{what="listed"} [1-9]/m);
        expect(metrics).toMatch(/^rdg_store_sweeps_total{outcome="completed"} [1-9]/m);
        return;
      }
    }
    await systemTimers.sleep(200);
  }
}

test("events over Kafka into Cassandra: deployed with its tables; a killed writer and a killed server are not missed", async () => {
  const [{ bootstrap }, cassandra] = await Promise.all([sharedKafka(), sharedCassandra()]);
  const prefix = `${uniqueName("shared")}.`;
  await using opened = new AsyncDisposableStack();
  const store = [
    "--store-kind",
    "cassandra",
    "--cassandra-contacts",
    `${cassandra.contactPoint}:${cassandra.port}`,
    "--cassandra-data-center",
    cassandra.localDataCenter,
    "--cassandra-keyspace",
    uniqueName("roles"),
    "--cassandra-replicas",
    "1",
    "--store-sweep",
    "24s",
    "--store-sweep-percent",
    "100",
  ];
  const start = async (role: string, flags: ClusterFlags): Promise<RoleProcess> => {
    const each = await RoleProcess.prepare(role, flags, store);
    opened.defer(() => each.dispose());
    await each.start();
    return each;
  };
  const registry = await start("registry", { graph, bootstrap, prefix });
  const flags = { graph, bootstrap, prefix, registryUrl: `${registry.url}/registry` };
  const where = [
    "--kafka-bootstrap",
    bootstrap,
    "--kafka-prefix",
    prefix,
    "--registry-url",
    flags.registryUrl,
    ...store,
  ];
  const plan = await runCli(["plan", graph, ...where]);
  expect(plan.out).toMatch(/\+ table visits +table /);
  expect(await runCli(["deploy", graph, ...where])).toMatchObject({ code: 0 });
  expect(await runCli(["deploy", graph, ...where])).toMatchObject({ code: 0, out: "everything is there\n" });
  const roles = ["gateway,jobs", "store", "store", "serve", "serve"];
  const processes = await Promise.all(roles.map((role) => start(role, flags)));
  const [gateway, writer, otherWriter, server, otherServer] = processes as [
    RoleProcess,
    RoleProcess,
    RoleProcess,
    RoleProcess,
    RoleProcess,
  ];
  const random = seededRandom(firstSeed("ROLES_SEED"));
  const visits = new Visits(random, [gateway.url]);
  await visits.sendPlaces();
  const reader = new Reader(visits, [server.url, otherServer.url], random);
  let over = false;
  const working = Promise.all([visits.sendUntil(() => over, 100), reader.readUntil(() => over)]);
  try {
    await shareParts([writer, otherWriter]);
    for (const each of [server, writer]) {
      await reader.have(20);
      await each.stop("SIGKILL");
      await reader.have(20);
      await each.start();
    }
    await reader.have(20);
    await shareParts([writer, otherWriter]);
    expect(await otherWriter.stop("SIGTERM"), otherWriter.messages).toBe(0);
    await reader.have(20);
  } finally {
    over = true;
    await working;
  }
  await visits.shown([server.url, otherServer.url], 60_000);
  await visits.check(server.url);
  await visits.check(otherServer.url);
  await sweptBy([writer, otherWriter]);
  await visits.check(server.url);
  expect(reader).toMatchObject({ wrong: [], refused: [] });
});
