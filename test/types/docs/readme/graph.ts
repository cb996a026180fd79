import { count, defineGraph, edge, event, job, node, t } from "rdg";

export const view = event("view", {
  key: "userId",
  time: "at",
  fields: { userId: t.string(), pageId: t.string(), deviceId: t.string().optional(), at: t.timestamp() },
});

export const user = node("user");
export const page = node("page", { views: t.counter() });
export const device = node("device");
export const viewed = edge("viewed", user, page, { ttl: "100d", properties: { times: t.counter() } });
export const uses = edge("uses", user, device, { ttl: "100d" });

const fromView = job(view, { window: "1s" }).emit((e) => [
  user.upsert(e.userId),
  page.upsert(e.pageId, { views: count(1) }),
  viewed.upsert(e.userId, e.pageId, { times: count(1) }),
  uses.upsert(e.userId, e.deviceId), // an event without a device emits no edge
]);

export default defineGraph("views", { jobs: [fromView] });
