// `rdg plan`: prints what a definition asks for: topics, schemas, types and jobs.
import type { Command } from "commander";
import { print, printJson } from "./output.ts";

export function addPlanCommand(program: Command): void {
  program
    .command("plan")
    .description("print the topics, schemas, types and jobs of a definition")
    .argument("[graph]", "the definition (default: graph.ts in this folder)")
    .option("--json", "print the frozen definition as JSON")
    .addHelpText("after", "\nExample:\n  $ rdg plan graph.ts")
    .action(async (file: string | undefined, options: { json?: boolean }) => {
      const [{ describeGraph }, { loadGraph }] = await Promise.all([
        import("../compose/describe-graph.ts"),
        import("../compose/graph-file.ts"),
      ]);
      const graph = await loadGraph(file);
      if (options.json === true) printJson({ fingerprint: graph.fingerprint, model: graph.model });
      else print(describeGraph(graph));
    });
}
