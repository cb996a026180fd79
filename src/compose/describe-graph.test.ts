// What `rdg plan` prints of a graph beside its jobs.
import { expect, test } from "vitest";
import { defineGraph, enrichment, event, job, node, t } from "../index.ts";
import { describeGraph } from "./describe-graph.ts";

test("enrichments are described by what they are about, what they give, and their bounds", () => {
  const sku = node("sku");
  const order = event("order", { key: "sku", time: "at", fields: { sku: t.string(), at: t.timestamp() } });
  const fields = { cents: t.int64(), currency: t.string().optional() };
  const load = async () => new Map();
  const prices = enrichment("prices", { on: sku, fields, load, timeout: "150ms", ttl: "5m" });
  const jobs = [job(order).emit((e) => [sku.upsert(e.sku)])];
  const plain = describeGraph(defineGraph("shop", { jobs }));
  expect(describeGraph(defineGraph("shop", { jobs, enrichments: [prices] }))).toBe(
    `${plain}\n\nenrichments\n  prices of sku  (at most 100 ids a call, 150ms, kept for 5m)\n    cents: int64\n    currency: string, optional`,
  );
});
