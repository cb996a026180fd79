// `rdg query`: asks a running RDG with query text and prints the answer as a tree, a table or JSON.
import type { Command } from "commander";
import { renderTable, renderTree, type RenderedAnswer } from "../query/render.ts";
import { type ServerOptions, addServerOptions, requestJson } from "./connection.ts";
import { print, printJson, say, wantsColor } from "./output.ts";

interface QueryOptions extends ServerOptions {
  readonly json?: boolean;
  readonly table?: boolean;
}

export function addQueryCommand(program: Command): void {
  const command = program
    .command("query")
    .description("ask the graph with query text")
    .argument("<text>", "a path pattern");
  addServerOptions(command, "address of the RDG to ask")
    .option("--table", "print a row per edge")
    .option("--json", "print the answer as the API gives it")
    .addHelpText(
      "after",
      `\nExample:\n  $ rdg query "(account {id: 'a1'})-[:has_profile]->()-[:watched {latest: 50, since: '30d'}]->(title)"`,
    )
    .action(async (text: string, options: QueryOptions) => {
      const answer = await requestJson<RenderedAnswer>(options, "/v1/query", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ query: text }),
      });
      if (options.json === true) return printJson(answer);
      const render = options.table === true ? renderTable : renderTree;
      print(render(answer, { color: wantsColor() }));
      if (!answer.complete)
        say("The answer is not complete: raise a limit, or narrow the question (see `truncated` in --json).");
    });
}
