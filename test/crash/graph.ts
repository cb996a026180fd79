// A definition whose every policy shows a lost, doubled or reordered event: counters, last, first, max and a set; and what retention, compaction and the purge work on.
import { count, defineGraph, edge, event, job, node, sideInput, t } from "rdg";

export const view = event("view", {
  key: "userId",
  time: "at",
  id: "viewId",
  partitions: 2,
  retention: { time: "40m" },
  fields: {
    viewId: t.string(),
    userId: t.string(),
    pageId: t.string(),
    position: t.int64(),
    country: t.string(),
    sessionId: t.string().optional(),
    bot: t.string().optional(),
    at: t.timestamp(),
  },
});
export const ended = event("ended", {
  key: "sessionId",
  time: "at",
  retention: { time: "40m" },
  fields: { sessionId: t.string(), at: t.timestamp() },
});
export const pages = sideInput("pages", { key: "pageId", fields: { pageId: t.string(), title: t.string() } });

export const user = node("user", { views: t.counter(), firstCountry: t.string().merge("first") });
export const page = node("page", { views: t.counter(), title: t.string(), countries: t.set(t.string()) });
export const session = node("session", { views: t.counter() }, { ttl: "1h" });
export const viewed = edge("viewed", user, page, {
  properties: {
    times: t.counter(),
    sum: t.int64().merge("sum"),
    position: t.int64(),
    furthest: t.int64().merge("max"),
  },
});
export const opened = edge("opened", user, session, { ttl: "1h", properties: { views: t.counter() } });

export const fromView = job(view, { window: "50ms", windowKeys: 200 })
  .where((e) => e.bot.isAbsent())
  .enrich({ known: pages.by((e) => e.pageId) })
  .emit((e, { known }) => [
    user.upsert(e.userId, { views: count(1), firstCountry: e.country }),
    page.upsert(e.pageId, { views: count(1), title: known.title, countries: e.country }),
    viewed.upsert(e.userId, e.pageId, { times: count(1), sum: e.position, position: e.position, furthest: e.position }),
    session.upsert(e.sessionId, { views: count(1) }),
    opened.upsert(e.userId, e.sessionId, { views: count(1) }),
  ]);

export const fromEnded = job(ended, { window: "50ms" }).emit((e) => [session.remove(e.sessionId)]);

export default defineGraph("crash", { jobs: [fromView, fromEnded], lateness: "10m", tombstoneGrace: "55m" });
