// What the definition of cluster tests becomes: with an optional field, a property and an edge type more, which running clusters take process by process.
import { count, defineGraph, edge, event, job, node, sideInput, t, when } from "rdg";

export const visit = event("visit", {
  key: "personId",
  time: "at",
  id: "visitId",
  partitions: 4,
  fields: {
    visitId: t.string(),
    personId: t.string(),
    placeId: t.string(),
    spent: t.int64(),
    at: t.timestamp(),
    liked: t.boolean().optional(),
  },
});
export const places = sideInput("places", { key: "placeId", fields: { placeId: t.string(), name: t.string() } });

export const person = node("person", { visits: t.counter(), spent: t.int64().merge("sum"), seen: t.timestamp() });
export const place = node("place", { visits: t.counter(), name: t.string() });
export const visited = edge("visited", person, place, {
  properties: { times: t.counter(), spent: t.int64(), most: t.int64().merge("max") },
});
export const liked = edge("liked", person, place);

export const fromVisit = job(visit, { window: "100ms" })
  .enrich({ known: places.by((e) => e.placeId) })
  .emit((e, { known }) => [
    person.upsert(e.personId, { visits: count(1), spent: e.spent, seen: e.at }),
    place.upsert(e.placeId, { visits: count(1), name: known.name }),
    when(e.liked.equals(true), [liked.upsert(e.personId, e.placeId)]),
    visited.upsert(e.personId, e.placeId, { times: count(1), spent: e.spent, most: e.spent }),
  ]);

export default defineGraph("visits", { jobs: [fromVisit] });
