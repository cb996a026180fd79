import { connect, rowAs } from "rdg/client";
import { account, title, watched } from "./graph.ts";

const rdg = connect("http://127.0.0.1:7400");
const answer = await rdg.from(account, "a1").any({ latest: 10, direction: "out" }).any().run();
for (const row of answer.edges(1)) {
  console.log(row.type, row.from.id, row.to.id, rowAs(row, watched)?.properties.plays);
}
for (const node of answer.nodes) console.log(rowAs(node, title)?.properties.name);
