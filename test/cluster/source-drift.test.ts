// Topics and subjects that teams own change without asking RDG: deployments and `rdg status --drift` notice.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Admin, ConfigResourceTypes, IncrementalAlterConfigOperationTypes } from "@platformatic/kafka";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withCluster } from "../../src/compose/cluster/cluster.ts";
import { deploy } from "../../src/compose/cluster/deploy.ts";
import type { StepRisk } from "../../src/compose/cluster/deployment-plan.ts";
import { findDrift } from "../../src/compose/cluster/drift.ts";
import { clusterSettings } from "../../src/compose/cluster/settings.ts";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { resolveSettings } from "../../src/core/settings.ts";
import { count, defineGraph, event, type Graph, job, node, sideInput, t } from "../../src/index.ts";
import { openConfluentRegistry } from "../../src/schemas/confluent/registry.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import { type Ran, runCli } from "../cli/run-cli.ts";
import { type RegistryServer, startRegistry } from "./servers.ts";
import { sharedKafka, uniqueName } from "./shared.ts";

let folder = "";
let server: RegistryServer;
let registry: SchemaRegistry;
let admin: Admin;
let bootstrap = "";
let prefix = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-source-drift-"));
  server = await startRegistry();
  registry = openConfluentRegistry({
    connection: { urls: [server.url] },
    clock: systemClock,
    timers: systemTimers,
  });
  await registry.setCompatibility("NONE");
  bootstrap = (await sharedKafka()).bootstrap;
  prefix = `${uniqueName("drift")}.`;
  admin = new Admin({ clientId: "team", bootstrapBrokers: [bootstrap] });
  const config = { kafka: { bootstrap, prefix }, registry: { url: server.url } };
  await writeFile(join(folder, "rdg.config.ts"), `export default ${JSON.stringify(config)};`);
});
afterEach(async () => {
  await admin?.close();
  await registry?.close();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

const rdg = (...args: readonly string[]): Promise<Ran> => runCli(args, { cwd: folder });

const thing = node("thing", { orders: t.counter(), level: t.string() });
function graphOf(partitions: number): Graph {
  const order = event("order", {
    from: { topic: `${prefix}shop`, version: 1 },
    key: "id",
    time: "at",
    partitions,
    fields: { id: t.string(), at: t.timestamp() },
  });
  const person = sideInput("person", {
    from: { topic: `${prefix}people`, version: 1 },
    key: "id",
    fields: { id: t.string(), level: t.enum("SILVER", "GOLD") },
  });
  const orders = job(order)
    .enrich({ who: person.by((e) => e.id) })
    .emit((e, { who }) => [thing.upsert(e.id, { orders: count(1), level: who.level })]);
  return defineGraph("shop", { jobs: [orders] });
}

interface Told {
  readonly name: string;
  readonly risk: string;
  readonly what: string;
}

const sources = (
  steps: readonly { readonly kind: string; readonly name: string; readonly risk: string; readonly what: string }[],
): readonly Told[] =>
  steps.filter(({ kind }) => kind === "source").map(({ name, risk, what }) => ({ name, risk, what }));

const settings = (): Parameters<typeof withCluster>[0] => ({
  ...resolveSettings(clusterSettings, {}).values,
  "kafka.bootstrap": bootstrap,
  "kafka.prefix": prefix,
  "registry.url": server.url,
});

const deployed = async (partitions: number, ...allow: readonly StepRisk[]): Promise<readonly Told[]> =>
  sources(
    (await withCluster(settings(), (cluster) => deploy({ graph: graphOf(partitions), cluster, allow, by }))).steps,
  );

const by = { operation: "test", clock: systemClock };

const drift = async (): Promise<readonly Told[]> => sources(await withCluster(settings(), findDrift));

async function register(topic: string, ...fields: readonly object[]): Promise<void> {
  const schema = { type: "record", name: "R", fields: [{ name: "id", type: "string" }, ...fields] };
  await registry.register(`${prefix}${topic}-value`, JSON.stringify(schema));
}

const at = { name: "at", type: { type: "long", logicalType: "timestamp-millis" } };
const level = (...symbols: readonly string[]): object => ({
  name: "level",
  type: { type: "enum", name: "Level", symbols },
});
const optional = { name: "more", type: ["null", "string"], default: null };

async function set(topic: string, name: string, value: string): Promise<void> {
  const change = { name, value, configOperation: IncrementalAlterConfigOperationTypes.SET };
  await admin.incrementalAlterConfigs({
    resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: `${prefix}${topic}`, configs: [change] }],
  });
}

test("what owners change of their topics and subjects is drift; what cannot go on is refused", async () => {
  await expect(deployed(2)).rejects.toMatchObject({ code: "deployment_refused" });
  const week = [{ name: "retention.ms", value: "604800000" }];
  await admin.createTopics({ topics: [`${prefix}shop`], partitions: 2, replicas: 1, configs: week });
  const compact = [{ name: "cleanup.policy", value: "compact" }];
  await admin.createTopics({ topics: [`${prefix}people`], partitions: 1, replicas: 1, configs: compact });
  await register("shop", at);
  await register("people", level("SILVER", "GOLD"));
  expect(await deployed(2)).toEqual([
    { name: "events.order", risk: "safe", what: `read from the topic ${prefix}shop, kept for 7d` },
    { name: "inputs.person", risk: "safe", what: `read from the topic ${prefix}people, compacted` },
  ]);
  expect(await drift()).toEqual([]);
  expect(await deployed(2)).toEqual([]);

  // What is only to be known is known once it is deployed again.
  await set("shop", "retention.ms", "3600000");
  await set("people", "cleanup.policy", "delete");
  const told = await rdg("status", "--drift");
  expect(told).toMatchObject({ code: 6, err: "" });
  expect(told.out).toContain(`~ source events.order   the topic ${prefix}shop is kept for 1h now`);
  expect(told.out).toMatch(/inputs\.person .* is kept for .* now  \(Rows that retention has removed are missing/);
  expect(await deployed(2)).toHaveLength(2);
  expect(await drift()).toEqual([]);

  // Producers write what the definition cannot read: all of it, or some.
  await register("shop");
  await register("people", level("SILVER", "GOLD", "LOST"));
  const unreadable = [
    { name: "events.order", risk: "breaking", what: expect.stringContaining(`${prefix}shop-value version 2, at:`) },
    { name: "inputs.person", risk: "safe", what: expect.stringContaining("version 2, level:") },
  ];
  expect(await drift()).toEqual(unreadable);
  await expect(deployed(2, "loss")).rejects.toMatchObject({ hint: "To do it all the same: --allow-breaking." });
  expect(await deployed(2, "breaking")).toEqual(unreadable);
  await register("shop", at, optional);
  await register("people", level("SILVER", "GOLD"), optional);
  expect(await drift()).toEqual([]);

  // Brokers choose where they are: the client's type has no word for it.
  const assignments = null as unknown as [];
  await admin.createPartitions({ topics: [{ name: `${prefix}shop`, count: 3, assignments }] });
  await expect.poll(drift, { timeout: 60_000 }).toEqual([
    {
      name: "events.order",
      risk: "impossible",
      what: `the topic ${prefix}shop has 3 partitions, the definition says 2`,
    },
  ]);
  await expect(deployed(2, "loss", "breaking")).rejects.toThrow("Write partitions: 3 in the definition.");
  await deployed(3, "breaking");
  expect(await drift()).toEqual([]);

  await registry.deleteSubject(`${prefix}people-value`);
  await admin.deleteTopics({ topics: [`${prefix}shop`] });
  await expect
    .poll(async () => (await drift()).map(({ name, risk, what }) => [name, risk, what]), { timeout: 60_000 })
    .toEqual([
      ["events.order", "impossible", `the topic ${prefix}shop is gone`],
      ["inputs.person", "breaking", expect.stringContaining(`${prefix}people-value`)],
    ]);
  await expect(deployed(3, "loss", "breaking")).rejects.toMatchObject({ code: "deployment_refused" });
});
