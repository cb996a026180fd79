// A definition that a cluster with that of cluster tests cannot take: what is stored of a property would mean something else.
import { count, defineGraph, edge, job, node, t } from "rdg";
import { place, places, visit } from "./visits.graph.ts";

const person = node("person", { visits: t.counter(), spent: t.int64().merge("max") });
const visited = edge("visited", person, place, {
  properties: { times: t.counter(), spent: t.int64(), most: t.int64().merge("max") },
});

const fromVisit = job(visit, { window: "100ms" })
  .enrich({ known: places.by((e) => e.placeId) })
  .emit((e, { known }) => [
    person.upsert(e.personId, { visits: count(1), spent: e.spent }),
    place.upsert(e.placeId, { visits: count(1), name: known.name }),
    visited.upsert(e.personId, e.placeId, { times: count(1), spent: e.spent, most: e.spent }),
  ]);

export default defineGraph("visits", { jobs: [fromVisit] });
