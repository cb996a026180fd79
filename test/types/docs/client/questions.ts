import { connect, inward } from "rdg/client";
import { account, hasProfile, profile, title, uses, watched } from "./graph.ts";

const rdg = connect("http://127.0.0.1:7400");
const { nodes } = await rdg.nodes(title, ["t1", "t2"], { select: ["name"] });
const { edges } = await rdg.edges(watched, [["p1", "t1"]]);
const { counts } = await rdg.count(profile, ["p1", "p2"], [watched, inward(hasProfile)], { since: "30d" });
const way = await rdg.shortestPath([account, "a1"], [account, "a2"], { edges: [uses, hasProfile], maxDepth: 6 });
const shared = await rdg.commonNeighbours(account, ["a1", "a2"], uses);
console.log(nodes, edges, counts, way.length, way.nodes, shared.nodes);
