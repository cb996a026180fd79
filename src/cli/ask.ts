// What the commands that ask questions beside query text share: which edges are meant, and how the question is sent.
import { type Command, InvalidArgumentError, Option } from "commander";
import type { EdgesAsked } from "../model/questions.ts";
import { type ServerOptions, addServerOptions, requestJson } from "./connection.ts";

export interface AskOptions extends ServerOptions {
  readonly edge?: readonly string[];
  readonly direction?: "out" | "in" | "both";
  readonly since?: string;
  readonly until?: string;
  readonly json?: boolean;
}

export function addAskOptions(command: Command): Command {
  return addServerOptions(command, "address of the RDG to ask")
    .option("-e, --edge <type>", "an edge type; may be given again (default: every type)", collected)
    .addOption(new Option("-d, --direction <direction>", "walked out, in, or both ways").choices(["out", "in", "both"]))
    .option("--since <moment>", "only edges last seen since then: ISO 8601, or an age such as 30d")
    .option("--until <moment>", "only edges last seen before then")
    .option("--json", "print the answer as the API gives it");
}

function collected(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** A whole number of an option. What is allowed of them the server knows. */
export function wholeNumber(value: string): number {
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw new InvalidArgumentError("Give a whole number.");
}

/** Which edges are meant, as a request says it. */
export function edgesAsked({ edge = [], direction, since, until }: AskOptions): EdgesAsked {
  return {
    edge: edge.length > 0 ? edge : "*",
    ...(direction === undefined ? {} : { direction }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
}

export function ask<Answer>(server: ServerOptions, path: string, question: object): Promise<Answer> {
  return requestJson<Answer>(server, path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(question),
  });
}
