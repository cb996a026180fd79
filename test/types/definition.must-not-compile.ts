// What a user must not be able to write.
import { count, defineGraph, edge, enrichment, event, job, node, sideInput, t, when } from "rdg";
import { account, catalogue, device, playback, profile, title, watched } from "../../examples/streaming/graph.ts";

job(playback).emit((e) => [
  // @ts-expect-error string into int64
  watched.upsert(e.profileId, e.titleId, { positionMs: e.country }),
  // @ts-expect-error unknown field
  account.upsert(e.nope),
  // @ts-expect-error unknown property
  account.upsert(e.accountId, { nope: e.country }),
  // @ts-expect-error id must be a string
  account.upsert(e.positionMs),
  device.upsert(e.deviceId, { countries: e.country }),
  watched.upsert(e.profileId, e.titleId, { plays: when(e.action.equals("start"), count(1)) }),
  // @ts-expect-error enum value
  watched.upsert(e.profileId, e.titleId, { plays: when(e.action.equals("begin"), count(1)) }),
  // @ts-expect-error an edge has two ends
  watched.upsert(e.profileId),
  // @ts-expect-error a text is not of the enum
  title.upsert(e.titleId, { kind: e.country }),
  // @ts-expect-error no such symbol
  title.upsert(e.titleId, { kind: "series" }),
  // @ts-expect-error not a condition
  when(e.country, [account.remove(e.accountId)]),
  // @ts-expect-error texts are not added
  account.upsert(e.accountId.add("x")),
  // @ts-expect-error a text is not compared with a number
  when(e.country.gt(5), [account.remove(e.accountId)]),
  // @ts-expect-error unknown unit
  watched.upsert(e.profileId, e.titleId, { positionMs: e.at.truncate("month").toMillis() }),
  // @ts-expect-error a time is no number
  watched.upsert(e.profileId, e.titleId, { positionMs: e.at }),
]);
// @ts-expect-error time must name a timestamp field
event("x", { key: "a", time: "b", fields: { a: t.string(), b: t.int64(), c: t.timestamp() } });
// @ts-expect-error key must name a field
event("x", { key: "zz", time: "c", fields: { a: t.string(), c: t.timestamp() } });
// @ts-expect-error key must name a text
event("x", { key: "a", time: "c", fields: { a: t.int64(), c: t.timestamp() } });
// @ts-expect-error key must be required
event("x", { key: "a", time: "c", fields: { a: t.string().optional(), c: t.timestamp() } });
// @ts-expect-error bad duration
event("x", { key: "a", time: "c", dedupHorizon: "1 hour", fields: { a: t.string(), c: t.timestamp() } });
// @ts-expect-error a counter is no field of an event
event("x", { key: "a", time: "c", fields: { a: t.string(), c: t.timestamp(), n: t.counter() } });
// @ts-expect-error sum takes int64 only
node("x", { a: t.double().merge("sum") });
// @ts-expect-error a map is kept whole
node("x", { a: t.map(t.string()).merge("max") });
// @ts-expect-error properties are optional by nature
node("x", { a: t.string().optional() });
// @ts-expect-error the items of a set are scalars
t.set(t.array(t.string()));
// @ts-expect-error items are not optional
t.array(t.string().optional());
// @ts-expect-error an edge leads to a node type
edge("x", account, watched);
// @ts-expect-error unknown option
edge("x", account, profile, { timeToLive: "1d" });
// @ts-expect-error key must name a field
sideInput("x", { key: "nope", fields: { a: t.string() } });
// @ts-expect-error the key of a lookup is a text
job(playback).enrich({ film: catalogue.by((e) => e.positionMs) });
// @ts-expect-error unknown field in the key of a lookup
job(playback).enrich({ film: catalogue.by((e) => e.nope) });
job(playback)
  .enrich({ film: catalogue.by((e) => e.titleId) })
  .emit((e, { film }) => [
    title.upsert(e.titleId, { name: film.name, kind: film.kind }),
    // @ts-expect-error unknown enriched field
    title.upsert(e.titleId, { name: film.nope }),
  ]);
// @ts-expect-error not enriched with that
job(playback).emit((e, { film }) => [title.upsert(e.titleId, { name: film.name })]);
// @ts-expect-error an unfinished job
defineGraph("x", { jobs: [job(playback)] });
// @ts-expect-error what is awaited cannot be emitted
job(playback).map(async (e) => [account.upsert(e.accountId)]);
// @ts-expect-error int64 does not become a double by itself
job(playback).emit((e) => [node("x", { a: t.double() }).upsert(e.accountId, { a: e.positionMs })]);
// @ts-expect-error a double is no integer
job(playback).emit((e) => [watched.upsert(e.profileId, e.titleId, { positionMs: e.positionMs.toDouble() })]);

const order = event("order", {
  key: "id",
  time: "at",
  fields: { id: t.string(), at: t.timestamp(), lines: t.array(t.record({ sku: t.string(), quantity: t.int32() })) },
});
const sku = node("sku");
job(order).emit((e) => [
  e.lines.each((line) => [sku.upsert(line.sku)]),
  // @ts-expect-error a record is no text
  e.lines.each((line) => [sku.upsert(line)]),
  // @ts-expect-error unknown field of an item
  e.lines.each((line) => [sku.upsert(line.nope)]),
  // @ts-expect-error an array has no fields
  e.lines.sku,
]);

const amount = { amount: t.int64() };
// @ts-expect-error what it loads is not of its fields
enrichment("prices", { on: title, fields: amount, load: async () => new Map([["t", { amount: "much" }]]) });
// @ts-expect-error a required field is missing
enrichment("prices", { on: title, fields: amount, load: async () => new Map([["t", {}]]) });
// @ts-expect-error an edge type has no ids
enrichment("prices", { on: watched, fields: amount, load: async () => new Map() });
// @ts-expect-error a set is a property's
enrichment("prices", { on: title, fields: { amount: t.int64().merge("union") }, load: async () => new Map() });
