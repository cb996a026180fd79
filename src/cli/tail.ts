// `rdg tail`: prints the records of any topic, decoded, and goes on with new ones until stopped.
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { Command } from "commander";
import type { TopicRecord } from "../observe/port.ts";
import { type ServerOptions, addServerOptions, request } from "./connection.ts";
import { print } from "./output.ts";

interface TailOptions extends ServerOptions {
  readonly from?: string;
  readonly until?: string;
  readonly key?: string;
  readonly limit?: string;
  readonly follow: boolean;
  readonly json?: boolean;
}

export function addTailCommand(program: Command): void {
  const command = program
    .command("tail")
    .description("print the records of a topic, decoded: events.*, inputs.*, nodes.*, edges.*, quarantine.*")
    .argument("<topic>", "for example events.playback; `rdg status` lists them");
  addServerOptions(command, "address of the RDG to read from")
    .option(
      "--from <where>",
      "`start`, an offset (of every partition), or a time such as 2026-01-31T10:00:00Z (default: now)",
    )
    .option("--until <where>", "stop behind this offset or at this time")
    .option("--key <key>", "only records with this key: an event's or row's key, a node's id, an edge's origin")
    .option("--limit <records>", "stop after this many")
    .option("--no-follow", "stop at the end instead of waiting for more")
    .option("--json", "print one JSON object per record")
    .addHelpText("after", "\nExample:\n  $ rdg tail events.playback --from start --key a1 --no-follow --json")
    .action(async (topic: string, options: TailOptions) => {
      const query = new URLSearchParams();
      for (const name of ["from", "until", "key", "limit"] as const) {
        const value = options[name];
        if (value !== undefined) query.set(name, value);
      }
      query.set("follow", String(options.follow));
      const stop = new AbortController();
      const onSignal = (): void => stop.abort();
      process.once("SIGINT", onSignal);
      process.once("SIGTERM", onSignal);
      try {
        const path = `/v1/topics/${encodeURIComponent(topic)}/records?${query.toString()}`;
        const response = await request(options, path, { signal: stop.signal });
        const lines = createInterface({ input: Readable.fromWeb(response.body! as never), crlfDelay: Infinity });
        for await (const line of lines) print(options.json === true ? line : written(JSON.parse(line) as TopicRecord));
      } catch (error) {
        if (!stop.signal.aborted) throw error;
      }
    });
}

function written(record: TopicRecord): string {
  const value = JSON.stringify(record.value);
  return `${record.receivedAt}  ${record.topic}/${record.partition}@${record.offset}  ${record.key ?? ""}  ${value}`;
}
