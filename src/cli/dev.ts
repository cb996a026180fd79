// `rdg dev`: runs everything in one process until SIGTERM or Ctrl-C, which it answers by finishing what it has accepted.
import type { Command } from "commander";
import { askForHugePages } from "./huge-pages.ts";
import { exitCodes, print, say, type Finish } from "./output.ts";
import { addSettingFlags, settingsOf } from "./settings.ts";

export function addDevCommand(program: Command, finish: Finish): void {
  const command = program
    .command("dev")
    .description("run the whole of RDG in one process: events in, traversals out")
    .argument("[graph]", "the definition (default: graph.ts in this folder)")
    .option("--json", "print the address and the data folder as JSON once ready")
    .addHelpText("after", "\nExample:\n  $ rdg dev graph.ts --port 7400 --data .rdg");
  addSettingFlags(command).action(async (file: string | undefined, options: Record<string, unknown>) => {
    const { values } = await settingsOf(options);
    if (values["memory.hugePages"]) askForHugePages();
    // Loaded when needed: the other commands start in a fifth of the time without it.
    const [{ startEmbedded }, { findGraphFile, loadGraph }] = await Promise.all([
      import("../compose.ts"),
      import("../compose/graph-file.ts"),
    ]);
    const graph = await loadGraph(file);
    const stopped = nextSignal();
    const running = await startEmbedded(graph, values, findGraphFile(file));
    // A start that fails is told by `failed`.
    const ready = running.ready.then(
      () => true,
      () => false,
    );
    if ((await Promise.race([stopped, ready])) === true) {
      if (options["json"] === true) {
        print(JSON.stringify({ url: running.url, grpc: running.grpc, data: values.data, pid: process.pid }));
      } else announce(graph.model.name, running.url, running.grpc, values.data);
    }
    const cause = await Promise.race([stopped, running.failed]);
    if (typeof cause === "string") say(`${cause}: finishing what was accepted (press Ctrl-C again to stop at once)`);
    void nextSignal().then(() => process.exit(exitCodes.failure));
    if (typeof cause === "string") {
      await running.close();
      return finish(exitCodes.ok);
    }
    // The cause is what to tell, not what else cannot go on because of it.
    await running.close().catch(() => undefined);
    throw cause;
  });
}

function announce(graph: string, url: string, grpc: string | undefined, data: string): void {
  const beside = grpc === undefined ? "" : `, gRPC at ${grpc}`;
  say(`rdg: graph "${graph}" is ready at ${url}${beside} (data in ${data})`);
  say(`  send events   curl -H 'content-type: application/json' -d '{...}' ${url}/v1/events/<event>`);
  say(`  ask           rdg query "(...)" --url ${url}`);
  say(`  look inside   rdg status --url ${url}`);
}

/** Resolves with the name of the next SIGINT or SIGTERM. */
function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    const signals = ["SIGINT", "SIGTERM"] as const;
    const listener = (signal: string): void => {
      for (const name of signals) process.removeListener(name, listener);
      resolve(signal);
    };
    for (const name of signals) process.on(name, listener);
  });
}
