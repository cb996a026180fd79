// What `rdg client` writes is as good as the source: the same names, the same types.
import { connect } from "rdg/client";
import type * as source from "../../examples/streaming/graph.ts";
import * as written from "../golden/client/streaming.ts";
import { assertType, type Same } from "./assertions.ts";

assertType<Same<typeof written.playback, typeof source.playback>>();
assertType<Same<typeof written.title, typeof source.title>>();
assertType<Same<typeof written.watched, typeof source.watched>>();

const { account, hasProfile, watched } = written;
const rdg = connect("http://127.0.0.1:7400");
export const steps = rdg
  .from(account, "a1")
  .out(hasProfile)
  .out(watched, { where: (w) => w.plays.gt(1) });
