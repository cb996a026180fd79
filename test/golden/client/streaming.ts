// The streaming example.
import { edge, event, node, sideInput, t } from "rdg";

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
  fields: {
    accountId: t.string(),
    at: t.timestamp(),
  },
});

export const catalogue = sideInput("catalogue", {
  key: "titleId",
  fields: {
    titleId: t.string(),
    name: t.string(),
    kind: t.enum("film", "episode", "game"),
  },
});

export const account = node("account", {
  firstCountry: t.string().merge("first"),
});

export const device = node("device", {
  countries: t.set(t.string()),
});

export const title = node("title", {
  name: t.string(),
  kind: t.enum("film", "episode", "game"),
});

export const profile = node("profile");

export const hasProfile = edge("has_profile", account, profile);

export const uses = edge("uses", account, device, {
  ttl: "100d",
});

export const watched = edge("watched", profile, title, {
  ttl: "100d",
  properties: {
    positionMs: t.int64(),
    furthestMs: t.int64().merge("max"),
    plays: t.counter(),
  },
});
