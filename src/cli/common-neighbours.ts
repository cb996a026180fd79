// `rdg common`: what several nodes are all connected with.
import type { Command } from "commander";
import type { CommonNeighboursAnswer, CommonNeighboursRequest } from "../model/questions.ts";
import { renderTree } from "../query/render.ts";
import { type AskOptions, addAskOptions, ask, edgesAsked, wholeNumber } from "./ask.ts";
import { print, printJson, say, wantsColor } from "./output.ts";

interface CommonOptions extends AskOptions {
  readonly limit?: number;
}

export function addCommonCommand(program: Command): void {
  const command = program
    .command("common")
    .description("find the nodes that 2 to 10 nodes are all connected with, those with the newest edges first")
    .argument("<type>", "the nodes' type")
    .argument("<ids...>", "their ids");
  addAskOptions(command)
    .option("--limit <nodes>", "nodes to find at most (default: 300)", wholeNumber)
    .addHelpText("after", "\nExample:\n  $ rdg common account a1 a2 --edge uses")
    .action(async (type: string, ids: readonly string[], options: CommonOptions) => {
      const { limit } = options;
      const question: CommonNeighboursRequest = {
        of: { type, ids },
        ...edgesAsked(options),
        ...(limit === undefined ? {} : { limit }),
      };
      const answer = await ask<CommonNeighboursAnswer>(options, "/v1/common-neighbours", question);
      if (options.json === true) return printJson(answer);
      const { nodes, edges, truncated } = answer;
      const levels = [{ nodes }, { nodes: ids.map((id) => ({ type, id })), edges }];
      print(renderTree({ levels, hops: [], complete: true }, { color: wantsColor() }));
      if (truncated !== undefined) say(`Not complete: ${truncated.reason}`);
    });
}
