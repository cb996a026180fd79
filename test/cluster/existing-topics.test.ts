// Topics that a team already has: the definition is imported from the live registry (Apicurio), jobs read what Confluent's own client writes to Kafka, and that
// client reads what RDG writes.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, onTestFailed, test } from "vitest";
import { runCli } from "../cli/run-cli.ts";
import { openPython, type Python } from "./python.ts";
import { RoleProcess } from "./role-process.ts";
import { sharedApicurio, sharedKafka, uniqueName } from "./shared.ts";

let python: Python;
beforeAll(async () => {
  python = await openPython();
}, 400_000);
afterAll(() => python?.dispose());

const disposals: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const dispose of disposals.splice(0).reverse()) await dispose();
});

const program = "team_topics.py";

const graphOf = (topic: string): string => `
import { count, defineGraph, edge, event, job, node, t } from "rdg";
import { customer } from "./customer.ts";
import { order } from "./order.ts";

const click = event("click", {
  from: {
    topic: "${topic}.json",
    values: "json",
    paths: { user: ["meta", "user-name"], at: "meta.at" },
  },
  key: "user",
  time: "at",
  partitions: 2,
  fields: { id: t.string(), user: t.string(), at: t.timestamp() },
});
const note = event("note", { key: "by", time: "at", fields: { by: t.string(), text: t.string().optional(), at: t.timestamp() } });

const buyer = node("buyer", { orders: t.counter(), clicks: t.counter(), since: t.timestamp(), level: t.string() });
const placed = node("placed", {
  total: t.string(), state: t.string(), items: t.counter(), cash: t.string(), card: t.string(), at: t.timestamp(),
});
const bought = edge("bought", buyer, placed);

export default defineGraph("shop", {
  nodes: [buyer, placed],
  edges: [bought],
  jobs: [
    job(order, { window: "100ms" }).map((e) => [
      buyer.upsert(e.buyer.email, { orders: 1, since: e.buyer.since }),
      placed.upsert(e.order_id, {
        total: e.total, state: e.state, at: e.placed, cash: e.paid_by?.string, card: e.paid_by?.Card?.last4,
        items: e.lines.length,
      }),
      bought.upsert(e.buyer.email, e.order_id),
    ]),
    job(click, { window: "100ms" })
      .enrich({ who: customer.by((e) => e.user) })
      .emit((e, { who }) => [buyer.upsert(e.user, { clicks: count(1), level: who.level })]),
    job(note, { window: "100ms" }).emit((e) => [buyer.upsert(e.by)]),
  ],
});
`;

interface Node {
  readonly id: string;
  readonly properties: Readonly<Record<string, unknown>>;
}
interface Quarantined {
  readonly value: { readonly code: string; readonly message: string; readonly bytes: string; readonly topic: string };
}

async function json<T>(url: string, body?: unknown): Promise<T> {
  const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(url, body === undefined ? {} : post);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url} was answered ${answer.status}: ${text}`);
  return JSON.parse(text) as T;
}

async function nodes(url: string, type: string, ids: readonly string[]): Promise<ReadonlyMap<string, Node>> {
  const { levels } = await json<{ levels: readonly { nodes: readonly Node[] }[] }>(`${url}/v1/traverse`, {
    from: { type, ids },
    hops: [],
  });
  return new Map(levels[0]!.nodes.map((node) => [node.id, node]));
}

test("a team's topics become a graph: imported, read by jobs, evolved; what cannot be read is in quarantine", async () => {
  const [{ bootstrap }, { url: registryUrl }] = await Promise.all([sharedKafka(), sharedApicurio()]);
  const topic = uniqueName("orders");
  const folder = await mkdtemp(join(tmpdir(), "rdg-topics-"));
  disposals.push(() => rm(folder, { recursive: true, force: true }));
  await python.run(program, ["write", bootstrap, registryUrl, topic]);

  const registry = ["--registry", registryUrl];
  const names = ["--name", "order", "--key", "order_id", "--time", "placed", "--partitions", "2"];
  const imported = await runCli(["schema", "import", `${topic}-value`, ...registry, ...names]);
  expect(imported).toMatchObject({ code: 0, err: "" });
  await writeFile(join(folder, "order.ts"), imported.out);
  const rows = ["--side-input", "--name", "customer", "--key", "email", "--partitions", "2"];
  const importedRows = await runCli(["schema", "import", `${topic}.buyers-value`, ...registry, ...rows]);
  expect(importedRows).toMatchObject({ code: 0, err: "" });
  await writeFile(join(folder, "customer.ts"), importedRows.out);
  const graph = join(folder, "graph.ts");
  await writeFile(graph, graphOf(topic));

  const flags = { graph, bootstrap, prefix: `${uniqueName("shop")}.`, registryUrl };
  const rdg = await RoleProcess.start("gateway,jobs,serve", flags, ["--deploy-on-start", "true"]);
  disposals.push(() => rdg.dispose());
  // Another worker reads the whole side input too.
  const worker = await RoleProcess.start("jobs", flags);
  disposals.push(() => worker.dispose());
  onTestFailed(() => console.error(rdg.messages));

  const orders = [...Array.from({ length: 30 }, (_, i) => i + 1), 41];
  const ids = orders.map(String);
  await expect.poll(async () => (await nodes(rdg.url, "placed", [...ids, "42"])).size, { timeout: 60_000 }).toBe(31);
  const placed = await nodes(rdg.url, "placed", ids);
  expect(placed.get("5")!.properties).toEqual({
    total: "5.05",
    state: "SENT",
    items: "2",
    card: "4242",
    at: "2026-11-21T12:00:05.000Z",
  });
  expect(placed.get("28")!.properties).toMatchObject({ state: "PAID", cash: "cash", at: "2026-11-21T12:00:28.000Z" });
  expect(placed.get("41")!.properties).toMatchObject({ total: "41.05" });
  await expect
    .poll(async () => (await nodes(rdg.url, "buyer", ["buyer 1"])).get("buyer 1")?.properties, { timeout: 60_000 })
    .toEqual({ orders: "10", clicks: "4", since: "2020-01-01T00:00:00.000Z", level: "GOLD" });
  await expect
    .poll(async () => (await nodes(rdg.url, "buyer", ["buyer 0"])).get("buyer 0")?.properties, { timeout: 60_000 })
    .toMatchObject({ clicks: "3", level: "SILVER" });
  await expect
    .poll(async () => (await nodes(rdg.url, "buyer", ["buyer 2"])).get("buyer 2")?.properties, { timeout: 60_000 })
    .toEqual({ orders: "11", clicks: "3", since: expect.anything() });

  const quarantined = async (stage: string): Promise<readonly Quarantined[]> => {
    const answer = await fetch(`${rdg.url}/v1/topics/quarantine.${stage}/records?from=start`);
    const lines = (await answer.text()).split("\n").filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line) as Quarantined);
  };
  await expect.poll(async () => (await quarantined("jobs.order")).length, { timeout: 30_000 }).toBe(3);
  const causes = (await quarantined("jobs.order")).map(({ value }) => value.message);
  expect(causes[0]).toContain("not framed");
  expect(causes[1]).toMatch(/written with schema \d+, cannot be read as the event: .*ends too early/);
  expect(causes[2]).toContain("No schema has the id 2147483647");
  expect(Buffer.from((await quarantined("jobs.order"))[0]!.value.bytes, "base64").toString()).toBe("hello");
  await expect.poll(async () => (await quarantined("jobs.click")).length, { timeout: 30_000 }).toBe(4);
  const clickCauses = (await quarantined("jobs.click")).map(({ value }) => value.message).join("\n");
  for (const cause of ["not JSON", "(at id)", "it is no object", "(at at)"]) expect(clickCauses).toContain(cause);

  const refused = json(`${rdg.url}/v1/events/order`, [{}]);
  await expect(refused).rejects.toThrow("event_has_source");
  await expect(json(`${rdg.url}/v1/inputs/customer`, [{}])).rejects.toThrow("input_has_source");

  await expect.poll(async () => (await quarantined("inputs.customer")).length, { timeout: 60_000 }).toBe(2);
  const noRows = await quarantined("inputs.customer");
  expect(noRows.map(({ value }) => value.topic)).toEqual(["inputs.customer", "inputs.customer"]);
  const rowCauses = noRows.map(({ value }) => value.message).join("\n");
  expect(rowCauses).toContain("not framed");
  expect(rowCauses).toMatch(/cannot be read as a row of customer: .*\(at email\)/);

  // A job that is killed goes on where its last window left off: nothing is counted twice.
  await rdg.stop("SIGKILL");
  await rdg.start();
  expect((await nodes(rdg.url, "buyer", ["buyer 1"])).get("buyer 1")?.properties).toMatchObject({
    orders: "10",
    clicks: "4",
  });

  // The next version renames a field (which the pinned one knows nothing of) and adds a symbol that the definition lacks.
  const checked = await runCli(["plan", graph, ...registry]);
  expect(checked.code).toBe(0);
  await python.run(program, ["evolve", bootstrap, registryUrl, topic]);
  const drifted = await runCli(["plan", graph, ...registry, "--json"]);
  expect(drifted.code).toBe(5);
  expect(JSON.parse(drifted.out)).toMatchObject({
    sources: [
      { event: "order", drift: { version: 2 } },
      { event: "click" },
      { input: "customer", drift: { version: 2 } },
    ],
  });
  expect(drifted.out).toContain("buyer");
  await expect.poll(async () => (await quarantined("jobs.order")).length, { timeout: 30_000 }).toBe(9);

  // A row that came later, in the new schema; the rows that were damaged are in quarantine once, although two workers have read them, and one twice.
  await expect
    .poll(async () => (await nodes(rdg.url, "buyer", ["buyer 2"])).get("buyer 2")?.properties, { timeout: 60_000 })
    .toMatchObject({ clicks: "4", level: "GOLD" });
  expect(await quarantined("inputs.customer")).toHaveLength(2);

  // What RDG writes, with an id of the same registry.
  const note = { by: "buyer 1", text: "hé", at: "2026-11-21T14:00:00Z" };
  await json(`${rdg.url}/v1/events/note`, [note]);
  const read = await python.run(program, ["read", bootstrap, registryUrl, `${flags.prefix}events.note`, "1"]);
  expect(JSON.parse(read)).toMatchObject({
    by: "buyer 1",
    text: "hé",
    at: expect.stringContaining("2026-11-21 14:00"),
  });
  expect(await rdg.stop("SIGTERM")).toBe(0);
});
