// A definition that a cluster with that of cluster tests cannot take: what is stored of a property would mean something else.
import { count, defineGraph, edge, event, job, node, sideInput, t } from "rdg";

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
  },
});
export const places = sideInput("places", { key: "placeId", fields: { placeId: t.string(), name: t.string() } });

export const person = node("person", { visits: t.counter(), spent: t.int64().merge("max") });
export const place = node("place", { visits: t.counter(), name: t.string() });
export const visited = edge("visited", person, place, {
  properties: { times: t.counter(), spent: t.int64(), most: t.int64().merge("max") },
});

export const fromVisit = job(visit, { window: "100ms" })
  .enrich({ known: places.by((e) => e.placeId) })
  .emit((e, { known }) => [
    person.upsert(e.personId, { visits: count(1), spent: e.spent }),
    place.upsert(e.placeId, { visits: count(1), name: known.name }),
    visited.upsert(e.personId, e.placeId, { times: count(1), spent: e.spent, most: e.spent }),
  ]);

export default defineGraph("visits", { jobs: [fromVisit] });
