// A definition with every kind of value, names that JavaScript uses itself, and a counter per sensor: an event applied twice, or half, shows.
import { count, defineGraph, edge, event, job, node, sideInput, t } from "rdg";

export const reading = event("reading", {
  key: "sensorId",
  time: "at",
  partitions: 2,
  fields: {
    sensorId: t.string(),
    at: t.timestamp(),
    siteId: t.string().optional(),
    level: t.int32().optional(),
    total: t.int64().optional(),
    ratio: t.double().optional(),
    ok: t.boolean().optional(),
    raw: t.bytes().optional(),
    kind: t.enum("hot", "cold").optional(),
    tags: t.array(t.string()).optional(),
    labels: t.map(t.string()).optional(),
    place: t.record({ x: t.double(), y: t.double() }).optional(),
    parts: t.map(t.record({ size: t.int32() })).optional(),
    ["__proto__"]: t.string().optional(),
    constructor: t.string().optional(),
  },
});

export const sites = sideInput("sites", {
  key: "siteId",
  fields: { siteId: t.string(), name: t.string(), ["__proto__"]: t.string().optional() },
});

export const sensor = node("sensor", {
  readings: t.counter(),
  level: t.int32(),
  total: t.int64(),
  ratio: t.double(),
  ok: t.boolean(),
  raw: t.bytes(),
  kind: t.enum("hot", "cold"),
  labels: t.map(t.string()),
  seenAt: t.timestamp(),
  ["__proto__"]: t.string(),
  constructor: t.set(t.string()),
});
export const site = node("site", { name: t.string(), readings: t.counter() });
export const standsAt = edge("stands_at", sensor, site, { properties: { readings: t.counter(), level: t.int32() } });

export const fromReading = job(reading, { window: "20ms" })
  .enrich({ known: sites.by((e) => e.siteId) })
  .emit((e, { known }) => [
    sensor.upsert(e.sensorId, {
      readings: count(1),
      level: e.level,
      total: e.total,
      ratio: e.ratio,
      ok: e.ok,
      raw: e.raw,
      kind: e.kind,
      labels: e.labels,
      seenAt: e.at,
      ["__proto__"]: e["__proto__"],
      constructor: e["constructor"],
    }),
    site.upsert(e.siteId, { name: known.name, readings: count(1) }),
    standsAt.upsert(e.sensorId, e.siteId, { readings: count(1), level: e.level }),
  ]);

export default defineGraph("bad_input", { jobs: [fromReading] });
