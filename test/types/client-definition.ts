// What `rdg client` writes is as good as the source: the same names, the same types.
import { enrichment, t } from "rdg";
import { connect } from "rdg/client";
import type * as source from "../../examples/streaming/graph.ts";
import * as written from "../golden/client/streaming.ts";
import { assertType, type Same } from "./assertions.ts";

assertType<Same<typeof written.playback, typeof source.playback>>();
assertType<Same<typeof written.catalogue, typeof source.catalogue>>();
assertType<Same<typeof written.title, typeof source.title>>();
assertType<Same<typeof written.watched, typeof source.watched>>();

const { account, catalogue, hasProfile, title, watched } = written;
const rdg = connect("http://127.0.0.1:7400");
export const steps = rdg
  .from(account, "a1")
  .out(hasProfile)
  .out(watched, { where: (w) => w.plays.gt(1) });

export const produced = rdg.produce(catalogue, { titleId: "t1", name: "Dark", kind: "episode" });
// @ts-expect-error the row has more fields
export const incomplete = rdg.produce(catalogue, { titleId: "t1" });

// As it is written for an enrichment: without its function.
const ratings = enrichment("ratings", { on: title, fields: { stars: t.double(), votes: t.int64().optional() } });
const answer = await steps.enrich(ratings).run();
const value = answer.nodes[0]!.enriched.ratings;
assertType<Same<NonNullable<typeof value>["stars"], number>>();
// @ts-expect-error there is no such field
export const wrong = value?.star;
