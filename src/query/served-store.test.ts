// What stands before a store that is elsewhere, told in metrics: the cache, the tier that it shares, the limits.
import { setImmediate as turn } from "node:timers/promises";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { ManualTime } from "../../test/log/manual-time.ts";
import { remote } from "../../test/query/cache-stories.ts";
import { servingFigures } from "../compose/serving-figures.ts";
import { seededRandom } from "../core/random.ts";
import { registerServingMetrics } from "../observe/serving-metrics.ts";
import { baseMs, conformanceGraph as model, frameOf, typesOf, upsertNode } from "../store/conformance-graph.ts";
import { memoryCacheServer } from "../testing/memory-cache-server.ts";
import { referenceStore } from "../testing/reference-store.ts";
import { Tier } from "./cache/tier-calls.ts";
import { servedStore } from "./served-store.ts";

const signal = new AbortController().signal;

function opened(cacheBytesMax: number) {
  const time = new ManualTime(baseMs);
  const plain = referenceStore({ model, clock: time });
  const server = memoryCacheServer(time);
  const tier = new Tier({
    server,
    clock: time,
    timers: time,
    random: seededRandom(1),
    timeoutMs: 20,
    notice: () => undefined,
  });
  const use = { tier, prefix: "", valueBytesMax: 1_000, budgetMs: 50 };
  const options = { model, clock: time, timers: time, cacheBytesMax, cacheTtlMs: 1_000, tier: use };
  return { plain, serve: () => servedStore({ ...options, store: remote(plain) }) };
}

test("the second tier tells what it did", async () => {
  const { plain, serve } = opened(1_000_000);
  await plain.apply(frameOf(0, [upsertNode("person", "a", baseMs, { name: "A" })]));
  const [one, two] = [serve(), serve()];
  await turn();
  for (const { store } of [one, two]) {
    await store.applied();
    const reader = store.reader();
    const references = await reader.find(typesOf.person, ["a"], signal);
    await reader.nodes({ type: typesOf.person, references, select: [0] }, signal);
    reader.close();
    await turn();
  }
  const registry = new Registry();
  registerServingMetrics(registry, () => servingFigures(two.figures(), { caches: [], limits: [] }));
  const metrics = await registry.metrics();
  expect(metrics).toContain('rdg_cache_tier_connected{server="memory"} 1');
  expect(metrics).toContain('rdg_cache_tier_calls_total{outcome="answered"} 3');
  expect(metrics).toContain('rdg_cache_tier_puts_total{outcome="stored"} 2');
  expect(metrics).toContain('rdg_cache_tier_unused_total{cause="outdated"} 0');
  expect(metrics).toContain('rdg_cache_reads_total{of="tier nodes",outcome="hit"} 1');
});

test("a second tier without a cache before it is refused", () => {
  expect(() => opened(0).serve()).toThrow(expect.objectContaining({ kind: "invalid", code: "tier_without_cache" }));
});
