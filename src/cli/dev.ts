// `rdg dev`: runs everything in one process until SIGTERM or Ctrl-C, which it answers by finishing what it has accepted.
import type { Command } from "commander";
import { print, say, type Finish } from "./output.ts";
import { runUntilStopped } from "./running.ts";
import { addSettingFlags, settingsOf } from "./settings.ts";
import { tuneProcess } from "./tuned-process.ts";

export function addDevCommand(program: Command, finish: Finish): void {
  const command = program
    .command("dev")
    .description("run the whole of RDG in one process: events in, traversals out")
    .argument("[graph]", "the definition (default: graph.ts in this folder)")
    .option("--json", "print the address and the data folder as JSON once ready")
    .addHelpText("after", "\nExample:\n  $ rdg dev graph.ts --port 7400 --data .rdg");
  addSettingFlags(command).action(async (file: string | undefined, options: Record<string, unknown>) => {
    const { values } = await settingsOf(options);
    tuneProcess({ hugePages: values["memory.hugePages"] });
    // Loaded when needed: the other commands start in a fifth of the time without it.
    const [{ startEmbedded }, { findGraphFile, loadGraph }] = await Promise.all([
      import("../compose.ts"),
      import("../compose/graph-file.ts"),
    ]);
    const graph = await loadGraph(file);
    finish(
      await runUntilStopped({
        start: () => startEmbedded(graph, values, findGraphFile(file)),
        ready: ({ url, grpc }) =>
          options["json"] === true
            ? print(JSON.stringify({ url, grpc, data: values.data, pid: process.pid }))
            : announce(graph.model.name, url, grpc, values.data),
        stopping: "finishing what was accepted",
      }),
    );
  });
}

function announce(graph: string, url: string, grpc: string | undefined, data: string): void {
  const beside = grpc === undefined ? "" : `, gRPC at ${grpc}`;
  say(`rdg: graph "${graph}" is ready at ${url}${beside} (data in ${data})`);
  say(`  send events   curl -H 'content-type: application/json' -d '{...}' ${url}/v1/events/<event>`);
  say(`  ask           rdg query "(...)" --url ${url}`);
  say(`  look inside   rdg status --url ${url}`);
}
