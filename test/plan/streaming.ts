// The streaming example's definition, as the builders leave it, and one of its events.
import { readFileSync } from "node:fs";
import type { EventModel, GraphModel, JobModel } from "../../src/model/definition.ts";
import { encodeRecord } from "./avro.ts";

const file = new URL("../golden/definition/streaming.json", import.meta.url);
export const streaming = JSON.parse(readFileSync(file, "utf8")) as GraphModel;

export const playback: EventModel = streaming.events.find((event) => event.name === "playback")!;
export const playbackJob: JobModel = streaming.jobs.find((job) => job.event === "playback")!;

export const started = {
  accountId: "a1",
  profileId: "p1",
  deviceId: "tv",
  titleId: "t9",
  action: "start",
  positionMs: 5000,
  country: "DE",
  at: 1_700_000_000_000,
};

export function encodePlayback(change: Partial<Record<keyof typeof started, unknown>> = {}): Buffer {
  return encodeRecord(playback.fields, { ...started, ...change } as typeof started);
}
