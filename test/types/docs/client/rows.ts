import { connect } from "rdg/client";
import { hasProfile, profile, watched } from "./graph.ts";

const rdg = connect("http://127.0.0.1:7400");
const steps = rdg.from(profile, "p1").in(hasProfile).out(hasProfile).out(watched, { latest: 1_000 });
for await (const { from, to } of steps.rows()) console.log(from.id, to.id);
for await (const { to } of steps.rows(0, { stream: true })) console.log(to.id);
