// `rdg path`: a shortest path between two nodes.
import type { Command } from "commander";
import type { ShortestPathAnswer, ShortestPathRequest } from "../model/questions.ts";
import { renderTree } from "../query/render.ts";
import { type AskOptions, addAskOptions, ask, edgesAsked, wholeNumber } from "./ask.ts";
import { print, printJson, say, wantsColor } from "./output.ts";

interface PathOptions extends AskOptions {
  readonly maxDepth?: number;
  readonly limit?: number;
}

export function addPathCommand(program: Command): void {
  const command = program
    .command("path")
    .description("find a shortest path between two nodes, over edges in both directions unless told otherwise")
    .argument("<from-type>", "type of the node that it begins at")
    .argument("<from-id>", "its id")
    .argument("<to-type>", "type of the node that it ends at")
    .argument("<to-id>", "its id");
  addAskOptions(command)
    .option("--max-depth <edges>", "edges of the path at most, up to 12 (default: 6)", wholeNumber)
    .option("--limit <edges>", "edges looked at per node, the newest first (default: 1000)", wholeNumber)
    .addHelpText("after", "\nExample:\n  $ rdg path account a1 account a2 --edge uses --max-depth 4")
    .action(async (fromType: string, fromId: string, toType: string, toId: string, options: PathOptions) => {
      const { maxDepth, limit } = options;
      const question: ShortestPathRequest = {
        from: { type: fromType, id: fromId },
        to: { type: toType, id: toId },
        ...edgesAsked(options),
        ...(maxDepth === undefined ? {} : { maxDepth }),
        ...(limit === undefined ? {} : { limit }),
      };
      const answer = await ask<ShortestPathAnswer>(options, "/v1/shortest-path", question);
      if (options.json === true) return printJson(answer);
      const { path, truncated } = answer;
      if (path === undefined) say(`No path was found within ${maxDepth ?? 6} edges.`);
      else {
        const levels = path.nodes.map((node, i) =>
          i === 0 ? { nodes: [node] } : { nodes: [node], edges: [path.edges[i - 1]!] },
        );
        print(renderTree({ levels, hops: [], complete: true }, { color: wantsColor() }));
      }
      if (truncated !== undefined) say(`Not proven: ${truncated.reason}`);
    });
}
