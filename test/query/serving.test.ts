// The whole product with a cache before its store and an enrichment in its definition: answers follow the events, and the metrics tell what both did.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningRdg, embeddedSettings, startEmbedded } from "../../src/compose.ts";
import { resolveSettings } from "../../src/core/settings.ts";
import { defineGraph, edge, enrichment, event, job, node, t } from "../../src/index.ts";
import type { TraverseAnswer } from "../../src/model/traversal.ts";

const account = node("account");
const title = node("title", { name: t.string() });
const watched = edge("watched", account, title);
const seen = event("seen", {
  key: "account",
  time: "at",
  fields: { account: t.string(), title: t.string(), name: t.string(), at: t.timestamp() },
});
const prices = enrichment("prices", {
  on: title,
  fields: { amount: t.int64() },
  load: async (ids) => {
    if (ids.includes("t9")) throw new Error("No price for t9.");
    return new Map(ids.map((id) => [id, { amount: id.length }]));
  },
});
const graph = defineGraph("shop", {
  jobs: [
    job(seen, { window: "0s" }).emit((e) => [
      title.upsert(e.title, { name: e.name }),
      watched.upsert(e.account, e.title),
    ]),
  ],
  enrichments: [prices],
});

let folder: string;
let rdg: RunningRdg;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-serving-"));
  const flags = { data: folder, port: 0, "log.level": "silent", "serve.cache": "10MB" };
  rdg = await startEmbedded(graph, resolveSettings(embeddedSettings, { flags }).values);
  await rdg.ready;
});
afterAll(async () => {
  await rdg.close();
  await rm(folder, { recursive: true, force: true });
});

/** Returns positions to wait for. */
async function send(titleId: string, name: string): Promise<string[]> {
  const body = JSON.stringify({ account: "a", title: titleId, name, at: new Date().toISOString() });
  const headers = { "content-type": "application/x-ndjson" };
  const response = await fetch(`${rdg.url}/v1/events/seen`, { method: "POST", headers, body });
  expect(response.status).toBe(202);
  return ((await response.json()) as { positions: string[] }).positions;
}

async function ask(more: object): Promise<TraverseAnswer> {
  const body = JSON.stringify({ from: { type: "account", ids: ["a"] }, hops: [{ edge: "watched" }], ...more });
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${rdg.url}/v1/traverse`, { method: "POST", headers, body });
  expect(response.status).toBe(200);
  return (await response.json()) as TraverseAnswer;
}

const namesOf = ({ levels }: TraverseAnswer): unknown[] =>
  levels[1]!.nodes.map(({ properties }) => properties!["name"]);

test("the cache answers until an event changes what it holds, and the profile tells what it did", async () => {
  const waitFor = await send("t1", "first");
  expect(namesOf(await ask({ waitFor }))).toEqual(["first"]);
  const again = await ask({ explain: "profile" });
  expect(again.explain!.levels).toMatchObject([{ cacheHits: 3, cacheMisses: 0 }]);
  expect(namesOf(await ask({ waitFor: await send("t1", "second") }))).toEqual(["second"]);
  expect(namesOf(await ask({ waitFor: await send("t2", "other") }))).toEqual(["other", "second"]);
  const passed = await ask({ cache: false, explain: "profile" });
  expect(passed.explain!.levels).toMatchObject([{ cacheHits: 0, cacheMisses: 0 }]);
  expect(passed.levels).toEqual((await ask({})).levels);
});

test("an enrichment is in the answer when it is asked for; where it fails, the answer says so", async () => {
  const { levels, enrichments } = await ask({ enrich: ["prices"] });
  expect(levels[1]!.nodes.map(({ enriched }) => enriched)).toEqual([
    { prices: { amount: "2" } },
    { prices: { amount: "2" } },
  ]);
  expect(enrichments).toEqual([{ name: "prices", nodes: 2, failed: 0 }]);
  const failed = await ask({ waitFor: await send("t9", "dear"), enrich: ["prices"] });
  expect(failed.enrichments).toEqual([{ name: "prices", nodes: 3, failed: 1, cause: "failed" }]);
  expect((await ask({})).enrichments).toBeUndefined();
});

test("the metrics tell of caches and limits", async () => {
  const text = await (await fetch(`${rdg.url}/metrics`)).text();
  const valueOf = (sample: string): number =>
    Number(
      text
        .split("\n")
        .find((line) => line.startsWith(`${sample} `))
        ?.slice(sample.length),
    );
  expect(valueOf('rdg_cache_reads_total{of="nodes",outcome="hit"}')).toBeGreaterThan(0);
  expect(valueOf('rdg_cache_reads_total{of="adjacency",outcome="miss"}')).toBeGreaterThan(0);
  expect(valueOf('rdg_cache_reads_total{of="enrichment prices",outcome="hit"}')).toBe(2);
  expect(valueOf('rdg_cache_losses_total{of="store",cause="void"}')).toBeGreaterThan(1);
  expect(valueOf('rdg_queue_fill{queue="serve_cache",of="",unit="bytes"}')).toBeGreaterThan(0);
  expect(valueOf('rdg_queue_max{queue="serve_cache",of="",unit="bytes"}')).toBe(10_000_000);
  expect(valueOf('rdg_queue_fill{queue="limited_calls",of="enrichment prices",unit="requests"}')).toBe(0);
  expect(valueOf('rdg_queue_max{queue="limited_calls",of="enrichment prices",unit="requests"}')).toBeGreaterThan(0);
  expect(valueOf('rdg_limited_calls_refused_total{of="enrichment prices"}')).toBe(0);
  expect(valueOf('rdg_limit_lowered_total{of="enrichment prices"}')).toBe(1);
});
