// A definition whose every policy shows a lost, doubled or reordered event: counters, last, first, max and a set.
import { count, defineGraph, edge, event, job, node, sideInput, t } from "rdg";

export const view = event("view", {
  key: "userId",
  time: "at",
  id: "viewId",
  partitions: 2,
  fields: {
    viewId: t.string(),
    userId: t.string(),
    pageId: t.string(),
    position: t.int64(),
    country: t.string(),
    at: t.timestamp(),
  },
});
export const pages = sideInput("pages", { key: "pageId", fields: { pageId: t.string(), title: t.string() } });

export const user = node("user", { views: t.counter(), firstCountry: t.string().merge("first") });
export const page = node("page", { views: t.counter(), title: t.string(), countries: t.set(t.string()) });
export const viewed = edge("viewed", user, page, {
  properties: {
    times: t.counter(),
    sum: t.int64().merge("sum"),
    position: t.int64(),
    furthest: t.int64().merge("max"),
  },
});

export const fromView = job(view, { window: "50ms" })
  .enrich({ known: pages.by((e) => e.pageId) })
  .emit((e, { known }) => [
    user.upsert(e.userId, { views: count(1), firstCountry: e.country }),
    page.upsert(e.pageId, { views: count(1), title: known.title, countries: e.country }),
    viewed.upsert(e.userId, e.pageId, { times: count(1), sum: e.position, position: e.position, furthest: e.position }),
  ]);

export default defineGraph("crash", { jobs: [fromView] });
