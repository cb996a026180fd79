import { connect } from "rdg/client/grpc";
import { account, uses } from "./graph.ts";

await using rdg = connect("grpcs://graph.example.com:7401", { tls: { ca: "ca.pem" } });
const { nodes } = await rdg.from(account, "a1").out(uses).run();
console.log(nodes.map(({ id }) => id));
