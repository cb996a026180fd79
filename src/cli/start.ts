// `rdg start`: runs some roles of a cluster in this process until SIGTERM or Ctrl-C, which it answers by handing over in order.
import type { Command } from "commander";
import { withPlacement } from "../compose/cluster/placement-settings.ts";
import { clusterSettings } from "../compose/cluster/settings.ts";
import { withOverrides } from "../compose/cluster/topic-overrides.ts";
import { print, say, type Finish } from "./output.ts";
import { runUntilStopped } from "./running.ts";
import { addSettingFlags, settingsOf } from "./settings.ts";
import { tuneProcess } from "./tuned-process.ts";

export function addStartCommand(program: Command, finish: Finish): void {
  const command = program
    .command("start")
    .description("run roles of a cluster in this process: gateway, jobs, serve, registry, over Kafka")
    .argument("[graph]", "the definition (default: graph.ts in this folder)")
    .option("--json", "print the address and the data folder as JSON once ready")
    .addHelpText(
      "after",
      "\nExample:\n  $ rdg start graph.ts --role gateway,jobs --kafka-bootstrap kafka-1:9092 --registry-url http://registry:8081",
    );
  addSettingFlags(command, clusterSettings).action(
    async (file: string | undefined, options: Record<string, unknown>) => {
      const { values, topics, placement } = await settingsOf(options);
      tuneProcess({ hugePages: values["memory.hugePages"] });
      const [{ startProcess }, { loadGraph }] = await Promise.all([
        import("../compose/cluster/process.ts"),
        import("../compose/graph-file.ts"),
      ]);
      const graph = withPlacement(withOverrides(await loadGraph(file), topics), placement);
      finish(
        await runUntilStopped({
          start: () => startProcess(graph, values),
          ready: ({ url, grpc }) =>
            options["json"] === true
              ? print(JSON.stringify({ url, grpc, role: values.role, data: values.data, pid: process.pid }))
              : say(`rdg: ${values.role} of graph "${graph.model.name}" at ${url} (data in ${values.data})`),
          stopping: "handing over",
        }),
      );
    },
  );
}
