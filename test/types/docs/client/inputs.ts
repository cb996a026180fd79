import { connect } from "rdg/client";
import { catalogue } from "./graph.ts";

const rdg = connect("http://127.0.0.1:7400");
await rdg.produce(catalogue, { titleId: "t1", name: "Dark", kind: "episode" });
await rdg.deleteRows(catalogue, ["t2"]);
