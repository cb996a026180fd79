import { connect } from "rdg/client";
import { account, hasProfile, watched } from "./graph.ts";

const rdg = connect("http://127.0.0.1:7400");
const answer = await rdg
  .from(account, "a1")
  .out(hasProfile)
  .out(watched, {
    latest: 50,
    since: "30d",
    where: (w) => w.plays.gte(2n),
    whereNode: (t) => t.kind.equals("film"),
    select: ["positionMs"],
  })
  .run();
for (const { from, to, properties, lastSeen } of answer.edges(1))
  console.log(from.id, to.properties.name, properties.positionMs, lastSeen);
if (!answer.complete) await answer.more();
