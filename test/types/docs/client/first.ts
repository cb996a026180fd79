import { connect } from "rdg/client";
import { account, hasProfile, playback, watched } from "./graph.ts";

const rdg = connect("http://127.0.0.1:7400");
const { positions } = await rdg.produce(playback, {
  accountId: "a1",
  profileId: "p1",
  deviceId: "tv",
  titleId: "t9",
  action: "start",
  positionMs: 0,
  at: new Date(),
});
const answer = await rdg
  .from(account, "a1")
  .out(hasProfile)
  .out(watched, { latest: 50, since: "30d", where: (w) => w.plays.gte(2n), select: ["positionMs"] })
  .run({ waitFor: positions });
for (const { from, to, properties, lastSeen } of answer.edges(1)) {
  console.log(from.id, to.properties.name, properties.positionMs, lastSeen);
}
