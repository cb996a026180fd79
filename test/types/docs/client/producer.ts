import { connect } from "rdg/client";
import { playback } from "./graph.ts";

const rdg = connect("http://127.0.0.1:7400");
await using producer = rdg.producer(playback, { batch: 500, lingerMs: 10 });
const event = {
  accountId: "a1",
  profileId: "p1",
  deviceId: "tv",
  action: "stop",
  positionMs: 5,
  at: new Date(),
} as const;
const { positions } = await producer.send(event);
await producer.sendAll(Array.from({ length: 10_000 }, (_, i) => ({ ...event, accountId: `a${i}` })));
console.log(positions);
