// Every setting of an embedded RDG, in one list: `rdg config` prints it, flags and variables are derived from it.
import { totalmem } from "node:os";
import type { SettingList, SettingValues } from "../core/settings.ts";

export const embeddedSettings = {
  host: { kind: "text", default: "127.0.0.1", description: "Address of the HTTP server." },
  port: { kind: "integer", default: 7400, max: 65_535, description: "Port of the HTTP server; 0 takes a free one." },
  data: { kind: "text", default: ".rdg", description: "Folder of all data." },
  "log.level": {
    kind: "text",
    default: "info",
    description: "Messages on stderr: debug, info, warn, error or silent.",
  },
  "log.segment": { kind: "size", default: 64_000_000, min: 100_000, description: "Size at which a segment file ends." },
  "gateway.body": { kind: "size", default: 16_000_000, min: 1000, description: "Largest request body." },
  "gateway.inFlight": {
    kind: "size",
    default: 64_000_000,
    min: 1000,
    description: "Bytes of requests not yet durable; more are refused with 429.",
  },
  "gateway.latency": {
    kind: "duration",
    default: 500,
    min: 1,
    description: "When events take longer than this to be durable, fewer are taken at once, and more refused with 429.",
  },
  "gateway.lag": {
    kind: "size",
    default: 64_000_000,
    min: 1000,
    description: "Bytes of events not yet in the graph; more are refused with 429 until the jobs have caught up.",
  },
  "jobs.window": {
    kind: "text",
    default: "",
    description: "Merge window of all jobs, such as 250ms or 0s, instead of what the definition says.",
  },
  "memory.hugePages": {
    kind: "boolean",
    default: true,
    description: "Whether to ask Linux for huge pages: a tenth more events for the same CPU.",
  },
  "inputs.memory": {
    kind: "size",
    default: 512_000_000,
    min: 1000,
    description: "Memory for the rows of all side inputs; at it, rows are refused with 503 and events go on.",
  },
  "jobs.paused": { kind: "text", default: "", description: "Events, separated by commas, whose jobs do not run." },
  "store.memory": {
    kind: "size",
    default: Math.floor(totalmem() / 2),
    min: 1_000_000,
    description: "Memory for the graph; at it, events are refused with 503 and reads go on.",
  },
  "store.checkpoint": {
    kind: "size",
    default: 100_000_000,
    min: 100_000,
    description: "Bytes of transactions after which the store writes a checkpoint; bounds the replay of a restart.",
  },
  "serve.timeout": { kind: "duration", default: 10_000, min: 1, description: "Longest time a traversal may take." },
} as const satisfies SettingList;

export type EmbeddedSettings = SettingValues<typeof embeddedSettings>;
