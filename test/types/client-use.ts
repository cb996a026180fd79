// What the typed client knows: hops by the edges they are given, rows by the declarations, numbers of hops by the path.
import { enrichment, t } from "rdg";
import { connect, inward, outward, rowAs, type RuleOrigin } from "rdg/client";
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
  // @ts-expect-error wrong type
  rdg.from(profile, "p").out(watched, { where: (w) => w.plays.gte("2") });
  // @ts-expect-error no such property of the neighbour
  rdg.from(account, "a1").out(uses, { whereNode: (d) => d.name.equals("x") });
  // @ts-expect-error bad duration
  rdg.from(account, "a1").out(uses, { since: "30 days" });
  // @ts-expect-error missing field
  void rdg.produce(playback, { accountId: "a1" });
  const many: readonly string[] = ["a1", "a2"];
  rdg.from(account, many, { select: ["firstCountry"] }).out(uses);
  // @ts-expect-error no such property
  rdg.from(account, many, { select: ["name"] });
  // @ts-expect-error no ids: no full scan
  rdg.from(title);
}

/** Several edge types at once: rows are a union that `type` tells apart. */
export async function several(): Promise<void> {
  const mixed = await rdg
    .from(account, "a1")
    .out([hasProfile, uses], { latest: 5 })
    .out([watched, outward(watched, { latest: 3, where: (w) => w.plays.gt(1), select: ["plays"] })])
    .run();
  const [row] = mixed.edges(0);
  if (row) {
    assertType<Same<typeof row.type, "has_profile" | "uses">>();
    assertType<Same<typeof row.from.type, "account">>();
    assertType<Same<typeof row.to.type, "profile" | "device">>();
    if (row.type === "uses") assertType<Same<typeof row.to.properties.countries, readonly string[] | undefined>>();
    // @ts-expect-error only one of the two has it
    void row.to.properties.countries;
  }
  const [node] = mixed.level(1);
  if (node?.type === "device") assertType<Same<typeof node.properties.countries, readonly string[] | undefined>>();
  assertType<Same<(typeof mixed.nodes)[number]["type"], "title">>();
  assertType<Same<ReturnType<typeof mixed.level<0>>[number]["type"], "account">>();

  // A rule says its own direction and selection.
  const around = rdg.from(profile, "p1").out([inward(hasProfile), outward(watched, { select: ["plays"] })]);
  const answer = await around.run();
  assertType<Same<(typeof answer.nodes)[number]["type"], "account" | "title">>();
  for (const edge of answer.edges(0)) {
    if (edge.type !== "watched") continue;
    assertType<Same<typeof edge.properties.plays, bigint | undefined>>();
    // @ts-expect-error the rule selects something else
    void edge.properties.positionMs;
  }
  // From several types: each edge from where it begins.
  around.both([hasProfile, watched]);
  rdg.from(account, "a1").out([hasProfile, uses]).out(watched).in(watched).in(hasProfile).out(uses);
  const both = await rdg.from(account, "a1").out(uses).both(uses).run();
  assertType<Same<(typeof both.nodes)[number]["type"], "account">>();

  // @ts-expect-error has_profile does not begin at profiles
  rdg.from(profile, "p1").out([watched, hasProfile]);
  // @ts-expect-error nothing of it touches titles
  rdg.from(title, "t1").both([hasProfile, uses]);
  // @ts-expect-error watched does not end at accounts
  rdg.from(account, "a1").out([inward(watched)]);
  // @ts-expect-error not all of these edges have plays
  rdg.from(profile, "p1").both([watched, hasProfile], { where: (e) => e.plays.gt(1) });
  rdg.from(profile, "p1").both([watched, hasProfile], { where: (e) => e.lastSeen.gt(new Date(0)), select: ["plays"] });
  // @ts-expect-error none of these edges has it
  rdg.from(profile, "p1").both([watched, hasProfile], { select: ["name"] });
  // @ts-expect-error a wrong value in a rule
  outward(watched, { where: (w) => w.plays.gte("2") });
  // @ts-expect-error an unknown property in a rule
  inward(watched, { select: ["nope"] });
}

/** Repeated hops, hops over anything, options of a run. */
export async function wide(): Promise<void> {
  const found = await rdg
    .from(account, "a1")
    .both(uses, { latest: 10, repeat: { times: 4, until: (n) => n.lastSeen.lt(new Date(0)) } })
    .run({ defaults: { latest: 100, since: "ever" }, budget: { scanned: 10_000 }, cache: false, profile: true });
  assertType<Same<(typeof found.nodes)[number]["type"], "account" | "device">>();
  found.edges(0, 2);
  const all = await rdg.from(account, "a1").any({ latest: 3, direction: "out" }).out(watched).run();
  const [any] = all.edges(0);
  if (any) {
    assertType<Same<typeof any.type, string>>();
    assertType<Same<typeof any.to, { readonly id: string }>>();
    const row = rowAs(any, hasProfile);
    if (row) assertType<Same<typeof row.to.type, "profile">>();
  }
  assertType<Same<(typeof all.nodes)[number]["type"], "title">>();
  for await (const { type, to } of rdg.from(account, "a1").out(hasProfile).out(watched).rows()) {
    assertType<Same<typeof type, "watched">>();
    assertType<Same<typeof to.properties.name, string | undefined>>();
  }
  for await (const { to } of rdg.from(account, "a1").out(hasProfile).out(watched).rows(0)) {
    assertType<Same<typeof to.type, "profile">>();
  }
  const { hops } = await rdg.from(account, "a1").out(uses).explain();
  assertType<Same<(typeof hops)[number]["branches"][number]["origins"]["limit"], RuleOrigin>>();

  // @ts-expect-error no such hop
  rdg.from(account, "a1").out(uses).rows(1);
  // @ts-expect-error no such level
  found.level(2);
  // @ts-expect-error a repetition has a number of times
  rdg.from(account, "a1").both(uses, { repeat: {} });
  // @ts-expect-error no declaration is known: the condition is JSON
  rdg.from(account, "a1").any({ where: (e) => e.plays.gt(1) });
}

export async function send(): Promise<void> {
  await using producer = rdg.producer(playback, { batch: 100, lingerMs: 2 });
  const { positions } = await producer.send({
    accountId: "a1",
    profileId: "p1",
    deviceId: "tv",
    action: "stop",
    positionMs: 5,
    at: new Date(0),
  });
  assertType<Same<typeof positions, readonly string[]>>();
  await rdg.produce(playback, [], { idempotencyKey: "import-17" });
  // @ts-expect-error missing fields
  void producer.send({ accountId: "a1" });
  // @ts-expect-error unknown option
  rdg.producer(playback, { lingerms: 2 });
}

export async function ask(): Promise<void> {
  const { nodes } = await rdg.nodes(title, ["t1", "t2"], { select: ["name"], waitFor: ["events.playback/0@1"] });
  assertType<Same<(typeof nodes)[number]["properties"]["name"], string | undefined>>();
  const { edges } = await rdg.edges(watched, [["p1", "t1"]], { select: ["plays"] });
  assertType<Same<keyof (typeof edges)[number]["properties"], "plays">>();
  assertType<Same<(typeof edges)[number]["from"], string>>();
  const { counts } = await rdg.count(profile, ["p1"], [watched, inward(hasProfile)], { since: "30d" });
  assertType<Same<(typeof counts)[number]["edge"], "watched" | "has_profile">>();
  await rdg.count(title, ["t1"], watched, { direction: "in", where: (w) => w.plays.gt(1) });
  await rdg.count(title, ["t1"], "*", { direction: "both" });
  const way = await rdg.shortestPath([account, "a1"], [account, "a2"], { edges: [uses, hasProfile], maxDepth: 4 });
  assertType<Same<(typeof way.nodes)[number]["type"], "account" | "device" | "profile">>();
  const anyWay = await rdg.shortestPath([account, "a1"], [title, "t2"]);
  assertType<Same<(typeof anyWay.nodes)[number]["type"], string>>();
  const shared = await rdg.commonNeighbours(account, ["a1", "a2"], uses, { latest: 10 });
  assertType<Same<(typeof shared.nodes)[number]["type"], "device">>();
  assertType<Same<(typeof shared.edges)[number]["from"]["type"], "account">>();

  // @ts-expect-error watched does not begin at titles
  await rdg.count(title, ["t1"], watched);
  // @ts-expect-error of one node nothing is common
  await rdg.commonNeighbours(account, ["a1"], uses);
  // @ts-expect-error no such property
  await rdg.nodes(title, ["t1"], { select: ["plays"] });
  // @ts-expect-error a pair has two ids
  await rdg.edges(watched, [["p1"]]);
}

const ratings = enrichment("ratings", {
  on: title,
  fields: { stars: t.int64(), by: t.string().optional() },
  load: async () => new Map([["t1", { stars: 3 }]]),
});

export async function enriched(): Promise<void> {
  const answer = await rdg.from(profile, "p1").out(watched).enrich(ratings).run();
  const [row] = answer.edges(0);
  if (row) {
    assertType<Same<NonNullable<typeof row.to.enriched.ratings>["stars"], bigint>>();
    assertType<Same<NonNullable<typeof row.to.enriched.ratings>["by"], string | undefined>>();
    // @ts-expect-error it is about titles
    void row.from.enriched.ratings;
  }
  const plain = await rdg.from(profile, "p1").out(watched).run();
  // @ts-expect-error nothing was asked for
  void plain.nodes[0]?.enriched;
}
