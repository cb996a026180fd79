// Two deployments share a registry: subjects are called like the topics are in Kafka. What an earlier release has registered under shorter names is found.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { openConfluentRegistry } from "../../src/schemas/confluent/registry.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import { runCli } from "../cli/run-cli.ts";
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

/** A definition whose event has a field `total` of this type, in a folder of its own. */
async function define(prefix: string, total: string): Promise<void> {
  const config = { kafka: { bootstrap, prefix }, registry: { url: server.url } };
  await writeFile(join(folder, "rdg.config.ts"), `export default ${JSON.stringify(config)};`);
  await writeFile(
    join(folder, "graph.ts"),
    `import { count, defineGraph, event, job, node, t } from "rdg";
     const sale = event("sale", { key: "item", time: "at",
       fields: { item: t.string(), at: t.timestamp(), total: ${total} } });
     const item = node("item", { sales: t.counter() });
     export default defineGraph("shop", {
       jobs: [job(sale, { window: "50ms" }).emit((e) => [item.upsert(e.item, { sales: count(1) })])] });`,
  );
}

async function schemaSteps(command: "plan" | "deploy"): Promise<readonly Step[]> {
  const ran = await runCli([command, "--json"], { cwd: folder });
  expect(ran).toMatchObject({ code: 0, err: "" });
  return (JSON.parse(ran.out) as { steps: readonly Step[] }).steps.filter(({ kind }) => kind === "schema");
}

test("subjects have the prefix of the topics, and go on from those of an earlier release", async () => {
  const [one, two] = [`${uniqueName("one")}.`, `${uniqueName("two")}.`];
  const subject = `${two}events.sale-value`;
  await define(one, "t.string()");
  await schemaSteps("deploy");
  // The same names with another meaning: on one registry they would refuse each other.
  await define(two, "t.int64()");
  const made = await schemaSteps("deploy");
  expect(made.map(({ name, what }) => [name, what])).toEqual([
    [subject, "version 1"],
    [`${two}nodes.item-value`, "version 1"],
  ]);
  const all = [one, two].flatMap((prefix) => [`${prefix}events.sale-value`, `${prefix}nodes.item-value`]);
  expect([...(await registry.subjects())].sort()).toEqual([...all].sort());
  const deployed = await registry.version(subject, "latest");
  expect(await registry.version(`${one}events.sale-value`, "latest")).not.toMatchObject({ id: deployed.id });

  // Processes write with the schema of their own subject.
  const flags = { graph: join(folder, "graph.ts"), bootstrap, prefix: two, registryUrl: server.url };
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
  await define(one, "t.string()");
  expect(await schemaSteps("plan")).toEqual([]);
  await define(two, "t.string()");
  const refused = await runCli(["deploy", "--allow-breaking"], { cwd: folder });
  expect(refused).toMatchObject({ code: 4, out: "" });
  expect(refused.err).toContain(`${subject}: version 1, until now under ${old}`);
  await define(two, "t.int64()");
  expect(await schemaSteps("deploy")).toMatchObject([{ name: subject, what: `version 1, until now under ${old}` }]);
  expect(await registry.version(subject, "latest")).toMatchObject({ id: deployed.id });
  expect(await schemaSteps("plan")).toEqual([]);
});
