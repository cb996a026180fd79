// `rdg schema import` and `rdg plan --registry` as a user runs them.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ServedRegistry, serveRegistry } from "../../scripts/cluster/registry.ts";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { openConfluentRegistry } from "../../src/schemas/confluent/registry.ts";
import { runCli } from "./run-cli.ts";

let folder: string;
let served: ServedRegistry;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-import-"));
  served = await serveRegistry(join(folder, "registry"), 0);
  const registry = openConfluentRegistry({
    connection: { urls: [served.url] },
    clock: systemClock,
    timers: systemTimers,
  });
  await registry.register("shop.orders-value", schema);
  await registry.close();
  await writeFile(join(folder, "order.avsc"), schema);
});
afterAll(async () => {
  await served.close();
  await rm(folder, { recursive: true });
});

const schema = JSON.stringify({
  type: "record",
  name: "OrderPlaced",
  namespace: "com.shop",
  fields: [
    { name: "order_id", type: "long" },
    {
      name: "meta",
      type: {
        type: "record",
        name: "Meta",
        fields: [{ name: "at", type: { type: "long", logicalType: "timestamp-micros" } }],
      },
    },
    { name: "note", type: ["null", "string"], default: null, aliases: [] },
    { name: "parent", type: ["null", "OrderPlaced"], default: null },
  ],
});

const expected = `// com.shop.OrderPlaced, from shop.orders-value, version 1.
// Written by \`rdg schema import\`: leave out what no job needs, and import it again when the schema changes.
import { event, t } from "rdg";

export const orderPlaced = event("orderPlaced", {
  from: { topic: "shop.orders", subject: "shop.orders-value", version: 1, paths: { at: "meta.at" } },
  key: "order_id",
  time: "at",
  partitions: 6,
  fields: {
    at: t.timestamp(),
    /** int64, read as text */
    order_id: t.string(),
    note: t.string().optional(),
  },
});
`;

test("a subject becomes a definition, which a plan holds to the registry", async () => {
  const env = { RDG_REGISTRY_URL: served.url };
  const args = ["--time", "meta.at", "--omit", "parent", "--partitions", "6"];
  const ran = await runCli(["schema", "import", "shop.orders-value", ...args], { env });
  expect(ran).toEqual({ code: 0, err: "", out: expected });
  const job = `import { defineGraph, job, node } from "rdg";
import { orderPlaced } from "./order.ts";
const order = node("order");
export default defineGraph("g", { jobs: [job(orderPlaced).emit((e) => [order.upsert(e.order_id)])] });`;
  await writeFile(join(folder, "order.ts"), ran.out);
  await writeFile(join(folder, "graph.ts"), job);
  const plan = await runCli(["plan", join(folder, "graph.ts"), "--registry", served.url]);
  expect(plan).toMatchObject({ code: 0, err: "" });
  expect(plan.out).toContain("event orderPlaced from shop.orders (shop.orders-value, read by version 1, latest 1)");
});

test("a file, written to another; never over one that is there", async () => {
  const out = join(folder, "written.ts");
  const args = ["schema", "import", join(folder, "order.avsc"), "--omit", "parent", "--out", out];
  const ran = await runCli(args);
  expect(ran.code).toBe(0);
  expect(ran.err).toContain("no field suits as time");
  expect(await readFile(out, "utf8")).toContain("export const orderPlacedFields = {");
  expect(await runCli(args)).toMatchObject({ code: 4 });
});

test("what is refused says where and why, for people and programs", async () => {
  const file = join(folder, "order.avsc");
  const ran = await runCli(["schema", "import", file]);
  expect(ran).toMatchObject({ code: 2, out: "" });
  expect(ran.err).toContain("parent: com.shop.OrderPlaced refers to itself");
  const json = await runCli(["schema", "import", file, "--json"]);
  expect(json.code).toBe(2);
  expect(JSON.parse(json.out)).toMatchObject({ fields: [], refusals: [{ place: "parent", code: "recursive" }] });
});

test.each([
  ["no registry", ["some-value"], 2, "--registry"],
  ["no such subject", ["some-value", "--registry", "served"], 3, "some-value"],
  ["nobody there", ["some-value", "--registry", "http://127.0.0.1:1"], 4, "ECONNREFUSED"],
  [
    "a field to omit that is none",
    ["shop.orders-value", "--registry", "served", "--omit", "x"],
    2,
    "x: there is no such field",
  ],
  ["a version that is none", ["shop.orders-value", "--registry", "served", "--subject-version", "x"], 2, "number"],
])("it fails clearly: %s", async (_, args, code, message) => {
  const ran = await runCli(["schema", "import", ...args.map((arg) => (arg === "served" ? served.url : arg))]);
  expect(ran).toMatchObject({ code, err: expect.stringContaining(message) as string });
});
