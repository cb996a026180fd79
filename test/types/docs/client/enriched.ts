import { enrichment, t } from "rdg";
import { connect } from "rdg/client";
import { profile, title, watched } from "./graph.ts";

const ratings = enrichment("ratings", {
  on: title,
  fields: { stars: t.double() },
  load: async (ids) => new Map(ids.map((id) => [id, { stars: 5 }])),
});

const rdg = connect("http://127.0.0.1:7400");
const answer = await rdg.from(profile, "p1").out(watched).enrich(ratings).run();
for (const { id, enriched } of answer.nodes) console.log(id, enriched.ratings?.stars);
