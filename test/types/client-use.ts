// What the typed client knows: hops by the edges they are given, rows by the declarations, numbers of hops by the path.
import { connect } from "rdg/client";
import {
  account,
  device,
  hasProfile,
  playback,
  profile,
  title,
  uses,
  watched,
} from "../../examples/streaming/graph.ts";
import { assertType, type Same } from "./assertions.ts";

const rdg = connect("http://127.0.0.1:7400");

export async function use(): Promise<void> {
  const { positions } = await rdg.produce(playback, {
    accountId: "a1",
    profileId: "p1",
    deviceId: "tv",
    titleId: "t9",
    action: "start",
    positionMs: 0n,
    at: new Date(0),
  });
  const answer = await rdg
    .from(account, "a1")
    .out(hasProfile)
    .out(watched, {
      latest: 50,
      since: "30d",
      where: (w) => w.plays.gte(2n).and(w.lastSeen.gt(new Date(0))),
      whereNode: (t) => t.kind.in("film", "game"),
      select: ["positionMs"],
      selectNode: ["name"],
    })
    .run({ waitFor: positions });
  const [row] = answer.edges(1);
  if (row) {
    assertType<Same<typeof row.from.id, string>>();
    assertType<Same<typeof row.to.properties.name, string | undefined>>();
    assertType<Same<typeof row.properties.positionMs, bigint | undefined>>();
    assertType<Same<typeof row.lastSeen, Date>>();
    // @ts-expect-error not selected
    void row.properties.plays;
  }
  assertType<Same<(typeof answer.nodes)[number]["properties"]["kind"], "film" | "episode" | "game" | undefined>>();
  const shared = await rdg.from(account, "a1").out(uses).in(uses, { any: 300 }).run();
  assertType<Same<(typeof shared.nodes)[number]["properties"]["firstCountry"], string | undefined>>();
  assertType<Same<Awaited<ReturnType<typeof shared.more>>["complete"], boolean>>();

  // @ts-expect-error no such hop
  answer.edges(2);
  // @ts-expect-error a device has no outgoing has_profile
  rdg.from(device, "d").out(hasProfile);
  // @ts-expect-error profiles are reached by has_profile, they do not have it
  rdg.from(profile, "p").out(hasProfile);
  // @ts-expect-error the ends differ: one way only
  rdg.from(account, "a1").both(uses);
  // @ts-expect-error wrong type
  rdg.from(profile, "p").out(watched, { where: (w) => w.plays.gte("2") });
  // @ts-expect-error no such property of the neighbour
  rdg.from(account, "a1").out(uses, { whereNode: (d) => d.name.equals("x") });
  // @ts-expect-error bad duration
  rdg.from(account, "a1").out(uses, { since: "30 days" });
  // @ts-expect-error missing field
  void rdg.produce(playback, { accountId: "a1" });
  // @ts-expect-error no ids: no full scan
  rdg.from(title);
}
