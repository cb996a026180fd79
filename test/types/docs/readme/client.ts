import { connect } from "rdg/client";
import { user, viewed } from "./graph.ts";

const rdg = connect("http://127.0.0.1:7400");
const answer = await rdg.from(user, "ada").out(viewed, { latest: 10 }).in(viewed).run();
for (const { from, to, lastSeen } of answer.edges(1)) console.log(from.id, to.id, lastSeen);
