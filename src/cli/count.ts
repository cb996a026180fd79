// `rdg count`: how many edges nodes have, per edge type and direction.
import type { Command } from "commander";
import type { CountAnswer, CountRequest } from "../model/questions.ts";
import { plain } from "../query/render.ts";
import { type AskOptions, addAskOptions, ask, edgesAsked } from "./ask.ts";
import { print, printJson, say } from "./output.ts";

export function addCountCommand(program: Command): void {
  const command = program
    .command("count")
    .description("count the edges of nodes, per edge type and direction")
    .argument("<type>", "the nodes' type")
    .argument("<ids...>", "their ids");
  addAskOptions(command)
    .addHelpText("after", "\nExample:\n  $ rdg count account a1 a2 --edge watched --since 30d")
    .action(async (type: string, ids: readonly string[], options: AskOptions) => {
      const question: CountRequest = { from: { type, ids }, ...edgesAsked(options) };
      const answer = await ask<CountAnswer>(options, "/v1/count", question);
      if (options.json === true) return printJson(answer);
      const rows = answer.counts.map(({ id, edge, direction, count, atLeast }) => [
        plain(id),
        plain(edge),
        direction,
        atLeast ? `at least ${count}` : String(count),
      ]);
      const header = ["id", "edge", "direction", "count"];
      const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
      for (const row of [header, ...rows]) {
        print(
          row
            .map((cell, column) => cell.padEnd(widths[column]!))
            .join("  ")
            .trimEnd(),
        );
      }
      if (answer.counts.some(({ atLeast }) => atLeast)) say("Not all edges were counted: narrow the question.");
    });
}
