// `rdg query`: asks a running RDG with query text and prints the answer as a tree, a table or JSON, or explains it.
import { type Command, Option } from "commander";
import type { Explanation } from "../model/traversal.ts";
import { renderExplanation } from "../query/render-explain.ts";
import { renderTable, renderTree, type RenderedAnswer } from "../query/render.ts";
import { type ServerOptions, addServerOptions, requestJson } from "./connection.ts";
import { print, printJson, say, wantsColor } from "./output.ts";

interface QueryOptions extends ServerOptions {
  readonly json?: boolean;
  readonly table?: boolean;
  readonly explain?: "plan" | "profile";
}

export function addQueryCommand(program: Command): void {
  const command = program
    .command("query")
    .description("ask the graph with query text")
    .argument("<text>", "a path pattern");
  addServerOptions(command, "address of the RDG to ask")
    .option("--table", "print a row per edge")
    .addOption(
      new Option(
        "--explain <how>",
        "plan: print what would be walked, and read nothing; profile: print what each hop cost as well as the answer",
      ).choices(["plan", "profile"]),
    )
    .option("--json", "print the answer as the API gives it")
    .addHelpText(
      "after",
      `\nExample:\n  $ rdg query "(account {id: 'a1'})-[:has_profile]->()-[:watched {latest: 50, since: '30d'}]->(title)"` +
        `\n  $ rdg query "(account {id: 'a1'})-[]-()" --explain plan`,
    )
    .action(async (text: string, options: QueryOptions) => {
      const { explain } = options;
      const answer = await requestJson<RenderedAnswer & { readonly explain?: Explanation }>(options, "/v1/query", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ query: text, ...(explain === undefined ? {} : { explain }) }),
      });
      if (options.json === true) return printJson(answer);
      const color = wantsColor();
      const render = options.table === true ? renderTable : renderTree;
      // A plan has no levels.
      if (explain !== "plan") print(render(answer, { color }));
      if (answer.explain !== undefined)
        print(`${explain === "plan" ? "" : "\n"}${renderExplanation(answer.explain, { color })}`);
      if (!answer.complete)
        say("The answer is not complete: raise a limit, or narrow the question (see `truncated` in --json).");
    });
}
