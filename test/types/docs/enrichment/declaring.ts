import { defineGraph, enrichment, event, job, node, t } from "rdg";

const order = event("order", {
  key: "sku",
  time: "at",
  fields: { sku: t.string(), at: t.timestamp() },
});
const sku = node("sku");

const prices = enrichment("prices", {
  on: sku,
  fields: { cents: t.int64(), currency: t.string().optional() },
  load: async (ids, { signal }) => {
    const response = await fetch("https://shop.example/prices", {
      method: "POST",
      body: JSON.stringify(ids),
      signal,
    });
    if (!response.ok) throw new Error(`The shop answered ${response.status}.`);
    const found = (await response.json()) as { id: string; cents: number }[];
    return new Map(found.map(({ id, cents }) => [id, { cents }]));
  },
  batch: 200,
  timeout: "150ms",
  ttl: "5m",
});

export default defineGraph("shop", {
  jobs: [job(order).emit((e) => [sku.upsert(e.sku)])],
  enrichments: [prices],
});
