// The definition of the golden folders. It stays as it is: what they hold was written for it.
import { count, defineGraph, edge, event, job, node, sideInput, t } from "rdg";

const view = event("view", {
  key: "userId",
  time: "at",
  id: "viewId",
  partitions: 2,
  fields: {
    viewId: t.string(),
    userId: t.string(),
    pageId: t.string(),
    seconds: t.int64(),
    rating: t.double().optional(),
    device: t.enum("phone", "television", "browser"),
    country: t.string(),
    sessionId: t.string().optional(),
    at: t.timestamp(),
  },
});
const left = event("left", { key: "userId", time: "at", fields: { userId: t.string(), at: t.timestamp() } });
const catalogue = sideInput("catalogue", {
  key: "pageId",
  fields: { pageId: t.string(), title: t.string(), words: t.int64().optional() },
});

const user = node("user", { views: t.counter(), firstCountry: t.string().merge("first"), device: t.string() });
const page = node("page", {
  views: t.counter(),
  title: t.string(),
  countries: t.set(t.string(), { sizeMax: 3 }),
  words: t.int64(),
});
const session = node("session", { views: t.counter() }, { ttl: "10m" });
const viewed = edge("viewed", user, page, {
  properties: {
    times: t.counter(),
    sum: t.int64().merge("sum"),
    longest: t.int64().merge("max"),
    shortest: t.int64().merge("min"),
    rating: t.double(),
  },
});
const opened = edge("opened", user, session, { ttl: "10m" });

const fromView = job(view, { window: "50ms" })
  .enrich({ known: catalogue.by((e) => e.pageId) })
  .emit((e, { known }) => [
    user.upsert(e.userId, { views: count(1), firstCountry: e.country, device: e.device }),
    page.upsert(e.pageId, { views: count(1), title: known.title, countries: e.country, words: known.words }),
    viewed.upsert(e.userId, e.pageId, {
      times: count(1),
      sum: e.seconds,
      longest: e.seconds,
      shortest: e.seconds,
      rating: e.rating,
    }),
    session.upsert(e.sessionId, { views: count(1) }),
    opened.upsert(e.userId, e.sessionId),
  ]);
const fromLeft = job(left, { window: "50ms" }).emit((e) => [user.remove(e.userId)]);

export default defineGraph("formats", { jobs: [fromView, fromLeft], lateness: "10m", tombstoneGrace: "30d" });
