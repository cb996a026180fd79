// `rdg deploy`: brings a definition to a cluster, so that processes can run it.
import type { Command } from "commander";
import { withPlacement } from "../compose/cluster/placement-settings.ts";
import { clusterSettings } from "../compose/cluster/settings.ts";
import { withOverrides } from "../compose/cluster/topic-overrides.ts";
import { systemClock } from "../core/clock.ts";
import { stepLines } from "./deployment-steps.ts";
import { print, printJson } from "./output.ts";
import { addSettingFlags, settingsOf } from "./settings.ts";

export function addDeployCommand(program: Command): void {
  const command = program
    .command("deploy")
    .description("make a definition's topics and schemas on a cluster, and the definition what processes go by")
    .argument("[graph]", "the definition (default: graph.ts in this folder)")
    .option("--allow-loss", "lower retention, although stored records are deleted by that")
    .option("--allow-breaking", "change what stored events, producers or readers go by")
    .option("--json", "print what was done as JSON")
    .addHelpText(
      "after",
      "\nWhat it would do: rdg plan. Running it again does what is still to be done.\n\nExample:\n  $ rdg deploy graph.ts --kafka-bootstrap kafka-1:9092 --registry-url http://registry:8081",
    );
  addSettingFlags(command, clusterSettings).action(
    async (file: string | undefined, options: Record<string, unknown>) => {
      const { values, topics, placement } = await settingsOf(options);
      const [{ withCluster }, { deploy }, { loadGraph }] = await Promise.all([
        import("../compose/cluster/cluster.ts"),
        import("../compose/cluster/deploy.ts"),
        import("../compose/graph-file.ts"),
      ]);
      const graph = withPlacement(withOverrides(await loadGraph(file), topics), placement);
      const allow = [
        ...(options["allowLoss"] === true ? (["loss"] as const) : []),
        ...(options["allowBreaking"] === true ? (["breaking"] as const) : []),
      ];
      const by = { operation: "rdg deploy", clock: systemClock };
      const { steps } = await withCluster(values, (cluster) => deploy({ graph, cluster, allow, by }));
      if (options["json"] === true) printJson({ graph: graph.model.name, fingerprint: graph.fingerprint, steps });
      else for (const line of stepLines(steps, "everything is there")) print(line);
    },
  );
}
