import { connect, inward, outward } from "rdg/client";
import { account, hasProfile, profile, uses, watched } from "./graph.ts";

const rdg = connect("http://127.0.0.1:7400");
const around = await rdg
  .from(profile, "p1")
  .out([inward(hasProfile), outward(watched, { latest: 5, where: (w) => w.plays.gt(1) })], { since: "7d" })
  .run();
for (const row of around.edges(0)) {
  if (row.type === "watched") console.log(row.to.properties.name, row.properties.plays);
  else console.log(row.from.id);
}

// Accounts that are connected by devices, up to three devices away.
const ring = await rdg
  .from(account, "a1")
  .both(uses, { latest: 100, repeat: { times: 6 } })
  .run({ defaults: { since: "ever" }, budget: { scanned: 50_000 } });
console.log(ring.nodes.filter(({ type }) => type === "account").length, ring.level(1, 2));
