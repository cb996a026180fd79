// The target experience: everything a user writes to get a real-time graph of a streaming service.
import { count, defineGraph, edge, event, job, node, sideInput, t, when } from "rdg";

export const playback = event("playback", {
  key: "accountId",
  time: "at",
  retention: { time: "6h" },
  fields: {
    accountId: t.string(),
    profileId: t.string(),
    deviceId: t.string(),
    titleId: t.string().optional(),
    action: t.enum("start", "progress", "stop"),
    positionMs: t.int64(),
    country: t.string().optional(),
    at: t.timestamp(),
  },
});
export const accountClosed = event("account_closed", {
  key: "accountId",
  time: "at",
  fields: { accountId: t.string(), at: t.timestamp() },
});

export const catalogue = sideInput("catalogue", {
  key: "titleId",
  fields: { titleId: t.string(), name: t.string(), kind: t.enum("film", "episode", "game") },
});

export const account = node("account", { firstCountry: t.string().merge("first") });
export const profile = node("profile");
export const device = node("device", { countries: t.set(t.string()) }); // merge: union
export const title = node("title", { name: t.string(), kind: t.enum("film", "episode", "game") });

export const hasProfile = edge("has_profile", account, profile);
export const uses = edge("uses", account, device, { ttl: "100d" });
export const watched = edge("watched", profile, title, {
  ttl: "100d",
  properties: { positionMs: t.int64(), furthestMs: t.int64().merge("max"), plays: t.counter() },
});

export const fromPlayback = job(playback, { window: "1s", parallelism: 4 })
  .where((e) => e.titleId.isPresent())
  .enrich({ film: catalogue.by((e) => e.titleId) }) // missing row: fields are absent
  .emit((e, { film }) => [
    account.upsert(e.accountId, { firstCountry: e.country }),
    device.upsert(e.deviceId, { countries: e.country }),
    title.upsert(e.titleId, { name: film.name, kind: film.kind }),
    hasProfile.upsert(e.accountId, e.profileId),
    uses.upsert(e.accountId, e.deviceId),
    watched.upsert(e.profileId, e.titleId, {
      positionMs: e.positionMs,
      furthestMs: e.positionMs,
      plays: when(e.action.equals("start"), count(1)),
    }),
  ]);

export const fromAccountClosed = job(accountClosed).emit((e) => [account.remove(e.accountId)]);

export default defineGraph("streaming", { jobs: [fromPlayback, fromAccountClosed] }); // the rest is reached from the jobs
