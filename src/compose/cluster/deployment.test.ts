// The record of what is deployed: pinned, refused when it is damaged or from elsewhere, written by one deployment at a time; and what may run beside it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { count, defineGraph, event, type Graph, job, node, t } from "rdg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock, systemTimers } from "../../core/clock.ts";
import { openEmbeddedLog } from "../../log/embedded/log.ts";
import type { Log } from "../../log/port.ts";
import {
  alignWithDeployment,
  changeDeployment,
  type Deployment,
  deploymentOf,
  deploymentTopic,
  readDeployment,
} from "./deployment.ts";
import { readTopicOverrides, withOverrides } from "./topic-overrides.ts";

let folder = "";
let log: Log;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-deployment-"));
  log = await openEmbeddedLog({ folder, clock: systemClock, timers: systemTimers });
  await log.ensureTopics([deploymentTopic]);
});
afterEach(async () => {
  await log.close();
  await rm(folder, { recursive: true, force: true });
});

/** `before`: properties that come before the one that every version has. */
function shop(before: Record<string, ReturnType<typeof t.string>> = {}, partitions = 2, name = "shop"): Graph {
  const fields = { item: t.string(), at: t.timestamp() };
  const sale = event("sale", { key: "item", time: "at", partitions, fields });
  const item = node("item", { ...before, sales: t.counter() });
  return defineGraph(name, { jobs: [job(sale).emit((e) => [item.upsert(e.item, { sales: count(1) })])] });
}

const fixed = (graph: Graph): Deployment => ({
  ...deploymentOf(graph, undefined),
  id: "0123456789abcdefghjkmnpqrs",
  continuationKey: new Uint8Array(32).fill(7),
});

const golden = new URL("../../../test/golden/deployment/record.v1.json", import.meta.url).pathname;

test("the record is pinned, and read back", async () => {
  expect(await readDeployment(log)).toBeUndefined();
  const deployed = fixed(shop());
  await changeDeployment(log, async () => deployed);
  expect(await readDeployment(log)).toEqual(deployed);
  const [text] = await texts();
  await expect(`${text}\n`).toMatchFileSnapshot(golden);
  // The same once more writes nothing.
  await changeDeployment(log, async (before) => deploymentOf(shop(), before));
  expect(await texts()).toHaveLength(1);
});

test("of two deployments at once the later one wins, the earlier one is refused", async () => {
  const early = changeDeployment(log, async () => {
    await changeDeployment(log, async () => fixed(shop()));
    return fixed(shop({ first: t.string() }));
  });
  await expect(early).rejects.toMatchObject({ kind: "conflict", code: "fenced" });
  expect((await readDeployment(log))?.model).toEqual(shop().model);
});

test.each([
  ["nonsense", { kind: "corrupt", code: "bad_deployment" }],
  ["[]", { kind: "corrupt", code: "bad_deployment" }],
  ['{"format":2,"model":{"format":1}}', { kind: "invalid", code: "unknown_format" }],
])("a record that is %s is refused", async (text, error) => {
  await write(text);
  await expect(readDeployment(log)).rejects.toMatchObject(error);
});

test("a record whose model was changed is refused", async () => {
  await changeDeployment(log, async () => fixed(shop()));
  const [text] = await texts();
  await write(text!.replace('"item"', '"itum"'));
  await expect(readDeployment(log)).rejects.toMatchObject({ kind: "corrupt", code: "bad_deployment" });
});

test("another graph is refused, and a definition that follows keeps the order of what is stored", () => {
  const before = fixed(shop());
  expect(() => deploymentOf(shop({}, 2, "other"), before)).toThrow('The cluster holds the graph "shop".');
  const after = deploymentOf(shop({ first: t.string() }), before);
  expect(after.model.nodes[0]!.properties.map(({ name }) => name)).toEqual(["sales", "first"]);
  expect({ id: after.id, key: after.continuationKey }).toEqual({ id: before.id, key: before.continuationKey });
});

test("a process runs with what is deployed or less, never with more", () => {
  const newer = shop({ first: t.string() });
  const deployment = deploymentOf(newer, fixed(shop()));
  const older = alignWithDeployment(shop(), deployment);
  expect(older.model.nodes).toEqual(deployment.model.nodes);
  const newest = shop({ first: t.string(), second: t.string() });
  expect(() => alignWithDeployment(newest, deployment)).toThrow("property item.second");
  // The topics have as many partitions as were deployed.
  const { model } = alignWithDeployment(shop({}, 8), deployment);
  expect(model.events[0]!.partitions).toBe(2);
});

test("what settings say of a topic stands in place of the definition", () => {
  const written = { "events.sale": { partitions: 6, retention: { time: "2h", size: "forever" } } };
  const { model } = withOverrides(shop(), readTopicOverrides(written, "rdg.config.ts"));
  expect(model.events[0]).toMatchObject({ partitions: 6, retention: { timeMs: 7_200_000 } });
  const misspelt = readTopicOverrides({ "events.sail": { partitions: 6 } }, "rdg.config.ts");
  expect(() => withOverrides(shop(), misspelt)).toThrow('The settings name the topic "events.sail"');
});

async function texts(): Promise<string[]> {
  const found: string[] = [];
  for await (const { count: records, values } of log.read({ topics: [deploymentTopic.name], until: [] })) {
    for (let i = 0; i < records; i++) {
      found.push(Buffer.from(values.bytes.subarray(values.starts[i], values.starts[i + 1])).toString());
    }
  }
  return found;
}

async function write(text: string): Promise<void> {
  const column = (of: string) => ({ bytes: Buffer.from(of), starts: Uint32Array.of(0, Buffer.byteLength(of)) });
  const producer = await log.producer("deployment");
  await producer.append(deploymentTopic.name, 0, { count: 1, keys: column("graph"), values: column(text) });
  await producer.close();
}
