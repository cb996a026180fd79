// Bringing definitions to a cluster: what plan says, what deploy does and refuses, and what drift is noticed.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { batchOf } from "../../src/log/conformance-batches.ts";
import { inspectTopics } from "../../src/log/kafka/inspect.ts";
import { openKafkaLog } from "../../src/log/kafka/log.ts";
import type { AuditRecord } from "../../src/serve/auth/audit-log.ts";
import { type Ran, runCli } from "../cli/run-cli.ts";
import { type RegistryServer, startRegistry } from "./servers.ts";
import { sharedKafka, uniqueName } from "./shared.ts";

interface Step {
  readonly kind: string;
  readonly name: string;
  readonly action: string;
  readonly what: string;
  readonly risk: string;
}

let folder = "";
let registry: RegistryServer;
let bootstrap = "";
let prefix = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-deploy-"));
  registry = await startRegistry();
  bootstrap = (await sharedKafka()).bootstrap;
  prefix = `${uniqueName("deploy")}.`;
});
afterEach(async () => {
  await registry.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A definition with some events; the settings file beside it says where the cluster is. */
async function define(topics: object, fields = "", hours = 6, name = "shop"): Promise<void> {
  const config = { kafka: { bootstrap, prefix }, registry: { url: registry.url }, topics };
  await writeFile(join(folder, "rdg.config.ts"), `export default ${JSON.stringify(config)};`);
  await writeFile(
    join(folder, "graph.ts"),
    `import { count, defineGraph, event, job, node, t } from "rdg";
     const sale = event("sale", { key: "item", time: "at", retention: { time: "${hours}h" },
       fields: { item: t.string(), at: t.timestamp(), ${fields} } });
     const item = node("item", { sales: t.counter() });
     export default defineGraph("${name}", {
       jobs: [job(sale).emit((e) => [item.upsert(e.item, { sales: count(1) })])] });`,
  );
}

const rdg = (...args: readonly string[]): Promise<Ran> => runCli(args, { cwd: folder });

async function stepsOf(...args: readonly string[]): Promise<readonly Step[]> {
  const ran = await rdg(...args, "--json");
  expect(ran).toMatchObject({ code: 0, err: "" });
  return (JSON.parse(ran.out) as { steps: readonly Step[] }).steps;
}

const events = "events.sale";

test("plan tells what deploy does; the second deployment has nothing to do", async () => {
  await define({ [events]: { partitions: 3 } });
  const planned = await stepsOf("plan");
  expect(planned).toContainEqual(
    expect.objectContaining({
      kind: "topic",
      name: events,
      action: "create",
      what: "3 partitions, kept for 6h",
      risk: "safe",
    }),
  );
  expect(planned.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["topic", "schema", "definition"]));
  expect(await stepsOf("deploy")).toEqual(planned);
  expect(await stepsOf("deploy")).toEqual([]);
  const { out } = await rdg("plan");
  expect(out).toMatch(/to deploy\n  nothing: everything is there\n$/);
  expect(await rdg("status", "--drift")).toMatchObject({ code: 0, out: "the cluster is as it was deployed\n" });
});

test("who deployed what is kept in the cluster: written before anything is touched, and when it is done", async () => {
  await define({ [events]: { partitions: 2 } });
  const steps = await stepsOf("deploy");
  await stepsOf("deploy");
  await define({ [events]: { partitions: 2, retention: { time: "1h" } } });
  expect(await rdg("deploy")).toMatchObject({ code: 4 });
  await stepsOf("deploy", "--allow-loss");
  const { code, out } = await rdg("audit", "--deployments", "--json");
  expect(code).toBe(0);
  const records = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as AuditRecord);
  const whole = ["deployment.begun", "definition.deployed"];
  // What changed nothing, and what was refused, has done nothing.
  expect(records.map(({ event }) => event)).toEqual([...whole, ...whole]);
  for (const { at, who, operation, target } of records) {
    expect({ who, operation, target }).toMatchObject({ who: { id: `user:${userInfo().username}` }, target: "shop" });
    expect(Math.abs(Date.now() - Date.parse(at))).toBeLessThan(3_600_000);
  }
  expect(records[0]!.details!["steps"]).toHaveLength(steps.length);
  expect(records[0]!.details!["before"]).toBeUndefined();
  expect(records[2]!.details).toMatchObject({
    before: records[0]!.details!["fingerprint"],
    allowed: ["loss"],
    steps: expect.arrayContaining([expect.stringMatching(/^loss: topic events\.sale: kept for 6h -> kept for 1h$/)]),
  });
});

test("what deletes records, or breaks who uses them, is refused unless it is allowed; what cannot be done is refused", async () => {
  await define({ [events]: { partitions: 2 } }, "shop: t.string(),");
  await stepsOf("deploy");
  await define({ [events]: { partitions: 2, retention: { time: "1h" } } }, "shop: t.string(),");
  const refused = await rdg("deploy");
  expect(refused).toMatchObject({ code: 4, out: "" });
  expect(refused.err).toContain(
    "events.sale: kept for 6h -> kept for 1h (Records that are older or more are deleted.)",
  );
  expect(refused.err).toContain("--allow-loss");
  expect(await stepsOf("deploy", "--allow-loss")).toContainEqual(
    expect.objectContaining({ name: events, risk: "loss" }),
  );
  expect(await stepsOf("deploy")).toEqual([]);
  // Nobody would know where a key was before.
  await define({ [events]: { partitions: 3, retention: { time: "1h" } } }, "shop: t.string(),");
  const torn = await rdg("deploy", "--allow-loss", "--allow-breaking");
  expect(torn).toMatchObject({ code: 4 });
  expect(torn.err).toContain("partitions 2 -> 3 (Partitions grow by whole factors");
  await define({ [events]: { partitions: 4, retention: { time: "1h" } } }, "shop: t.string(),");
  const grown = { kind: "topic", name: events, action: "change", what: "partitions 2 -> 4", risk: "safe" };
  expect(await stepsOf("plan")).toContainEqual(grown);
  expect(await stepsOf("deploy")).toContainEqual(grown);
  expect(await stepsOf("deploy")).toEqual([]);
  await define({ [events]: { partitions: 2, retention: { time: "1h" } } }, "shop: t.string(),");
  expect((await rdg("deploy", "--allow-loss", "--allow-breaking")).err).toContain("partitions 4 -> 2");
  // Whoever still sends records without it would be refused.
  await define({ [events]: { partitions: 4, retention: { time: "1h" } } }, "shop: t.string(), till: t.string(),");
  expect(await rdg("deploy", "--allow-loss")).toMatchObject({ code: 4 });
  await define({ [events]: { partitions: 2 } }, "", 6, "another");
  const other = await rdg("deploy", "--allow-loss", "--allow-breaking");
  expect(other.err).toContain('The cluster holds the graph "shop".');
});

test("two deployments at once: one of them is refused, and what is deployed is whole", async () => {
  await define({});
  await stepsOf("deploy");
  await define({}, "a: t.string().optional(),");
  const both = await Promise.all([rdg("deploy"), rdg("deploy")]);
  expect(both.map(({ code }) => code)).toContain(0);
  for (const { code, err } of both) if (code !== 0) expect(err).toMatch(/has taken .* over|taken over/);
  expect(await stepsOf("deploy")).toEqual([]);
});

test("drift: a retention that somebody changed is told with an exit code of its own, and put right by deploying again", async () => {
  await define({});
  await stepsOf("deploy");
  const topics = inspectTopics({
    connection: { bootstrap: [bootstrap] },
    clock: systemClock,
    timers: systemTimers,
    settings: { prefix },
  });
  try {
    await topics.setRetention({ name: events, form: "records", retention: { timeMs: 60_000 } });
    const drift = await rdg("status", "--drift");
    expect(drift).toMatchObject({ code: 6, err: "" });
    expect(drift.out).toContain("topic events.sale  kept for 1m -> kept for 6h");
    await stepsOf("deploy");
    expect((await topics.find([events])).get(events)?.retention).toEqual({ timeMs: 21_600_000 });
    expect(await rdg("status", "--drift")).toMatchObject({ code: 0 });
  } finally {
    topics.close();
  }
});

test("advice: retention by what topics receive and what the disk holds", async () => {
  await define({});
  await stepsOf("deploy");
  const empty = await rdg("topics", "advise", "--budget", "10GB");
  expect(empty).toMatchObject({ code: 0 });
  expect(empty.out).toContain("nothing came: there is nothing to go by");
  const log = await openKafkaLog({
    connection: { bootstrap: [bootstrap] },
    clock: systemClock,
    timers: systemTimers,
    settings: { prefix },
  });
  try {
    const producer = await log.producer("test");
    await producer.append(events, 0, batchOf(Array.from({ length: 500 }, (_, i) => `sale ${i} ${"x".repeat(50)}`)));
  } finally {
    await log.close();
  }
  const { code, out } = await rdg("topics", "advise", "--budget", "10GB");
  expect(code).toBe(0);
  expect(out).toMatch(/^events\.sale  \d+\.\d\/s of \d+ B, \d+ partitions?$/m);
  expect(out).toMatch(/^  "events\.sale": \{ retention: \{ time: "\d+\w+", size: "[\d.]+\w+" \} \},$/m);
});
