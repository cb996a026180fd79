import { connect } from "rdg/client";
import { account, uses } from "./graph.ts";

const rdg = connect(["http://serve-1.example:7410", "http://serve-2.example:7410"], {
  gateways: ["http://gateway-1.example:7400", "http://gateway-2.example:7400"],
});
const { nodes } = await rdg.from(account, "a1").out(uses).run();
console.log(nodes.length);
