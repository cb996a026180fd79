// Two deployments share a registry: subjects are called like the topics are in Kafka. What an earlier release has registered under shorter names is found.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withCluster } from "../../src/compose/cluster/cluster.ts";
import { deploy } from "../../src/compose/cluster/deploy.ts";
import { planDeployment, type StepRisk } from "../../src/compose/cluster/deployment-plan.ts";
import { clusterSettings } from "../../src/compose/cluster/settings.ts";
import { loadGraph } from "../../src/compose/graph-file.ts";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { resolveSettings } from "../../src/core/settings.ts";
import { openConfluentRegistry } from "../../src/schemas/confluent/registry.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import { RoleProcess } from "./role-process.ts";
import { type RegistryServer, startRegistry } from "./servers.ts";
import { sharedKafka, uniqueName } from "./shared.ts";

let folder = "";
let server: RegistryServer;
let registry: SchemaRegistry;
let bootstrap = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-subjects-"));
  server = await startRegistry();
  registry = openConfluentRegistry({
    connection: { urls: [server.url] },
    clock: systemClock,
    timers: systemTimers,
  });
  bootstrap = (await sharedKafka()).bootstrap;
});
afterEach(async () => {
  await registry?.close();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Step {
  readonly kind: string;
  readonly name: string;
  readonly what: string;
}

type Total = "string" | "int64";

/** A definition whose event has a field `total` of this type. */
async function define(total: Total): Promise<string> {
  const path = join(folder, `${total}.graph.ts`);
  await writeFile(
    path,
    `import { count, defineGraph, event, job, node, t } from "rdg";
     const sale = event("sale", { key: "item", time: "at",
       fields: { item: t.string(), at: t.timestamp(), total: t.${total}() } });
     const item = node("item", { sales: t.counter() });
     export default defineGraph("shop", {
       jobs: [job(sale, { window: "50ms" }).emit((e) => [item.upsert(e.item, { sales: count(1) })])] });`,
  );
  return path;
}

async function schemaSteps(
  what: "plan" | "deploy",
  prefix: string,
  total: Total,
  ...allow: readonly StepRisk[]
): Promise<readonly Step[]> {
  const graph = await loadGraph(await define(total));
  const settings = {
    ...resolveSettings(clusterSettings, {}).values,
    "kafka.bootstrap": bootstrap,
    "kafka.prefix": prefix,
    "registry.url": server.url,
  };
  const by = { operation: "test", clock: systemClock };
  const { steps } = await withCluster(settings, (cluster) =>
    what === "plan" ? planDeployment(graph, cluster) : deploy({ graph, cluster, allow, by }),
  );
  return steps.filter(({ kind }) => kind === "schema");
}

test("subjects have the prefix of the topics, and go on from those of an earlier release", async () => {
  const [one, two] = [`${uniqueName("one")}.`, `${uniqueName("two")}.`];
  const subject = `${two}events.sale-value`;
  await schemaSteps("deploy", one, "string");
  // The same names with another meaning: on one registry they would refuse each other.
  const made = await schemaSteps("deploy", two, "int64");
  expect(made.map(({ name, what }) => [name, what])).toEqual([
    [subject, "version 1"],
    [`${two}nodes.item-value`, "version 1"],
  ]);
  const all = [one, two].flatMap((prefix) => [`${prefix}events.sale-value`, `${prefix}nodes.item-value`]);
  expect([...(await registry.subjects())].sort()).toEqual([...all].sort());
  const deployed = await registry.version(subject, "latest");
  expect(await registry.version(`${one}events.sale-value`, "latest")).not.toMatchObject({ id: deployed.id });

  // Processes write with the schema of their own subject.
  const flags = { graph: await define("int64"), bootstrap, prefix: two, registryUrl: server.url };
  const rdg = await RoleProcess.start("gateway,jobs,serve", flags);
  try {
    const post = { method: "POST", headers: { "content-type": "application/json" } };
    const sale = JSON.stringify({ item: "a", at: "2026-11-21T12:00:00Z", total: 5 });
    expect((await fetch(`${rdg.url}/v1/events/sale`, { ...post, body: sale })).status).toBe(202);
    await expect
      .poll(
        async () => {
          const body = JSON.stringify({ from: { type: "item", ids: ["a"] }, hops: [] });
          return await (await fetch(`${rdg.url}/v1/traverse`, { ...post, body })).text();
        },
        { timeout: 60_000 },
      )
      .toContain('"sales":"1"');
  } finally {
    await rdg.dispose();
  }
  expect(await registry.subjects()).toHaveLength(4);

  // As 0.1 has left it: names without a prefix, which nobody else may take for his own.
  const old = "events.sale-value";
  expect(await registry.register(old, deployed.schema)).toMatchObject({ id: deployed.id });
  await registry.deleteSubject(subject);
  await registry.deleteSubject(subject, { permanent: true });
  expect(await schemaSteps("plan", one, "string")).toEqual([]);
  await expect(schemaSteps("deploy", two, "string", "breaking")).rejects.toThrow(
    `${subject}: version 1, until now under ${old}`,
  );
  expect(await schemaSteps("deploy", two, "int64")).toMatchObject([
    { name: subject, what: `version 1, until now under ${old}` },
  ]);
  expect(await registry.version(subject, "latest")).toMatchObject({ id: deployed.id });
  expect(await schemaSteps("plan", two, "int64")).toEqual([]);
});
