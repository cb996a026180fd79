// `rdg deploy`: brings a definition to a cluster, so that processes can run it.
import type { Command } from "commander";
import { clusterSettings } from "../compose/cluster/settings.ts";
import { withOverrides } from "../compose/cluster/topic-overrides.ts";
import { say } from "./output.ts";
import { addSettingFlags, settingsOf } from "./settings.ts";

export function addDeployCommand(program: Command): void {
  const command = program
    .command("deploy")
    .description("make a definition's topics and schemas on a cluster, and the definition what processes go by")
    .argument("[graph]", "the definition (default: graph.ts in this folder)")
    .addHelpText(
      "after",
      "\nExample:\n  $ rdg deploy graph.ts --kafka-bootstrap kafka-1:9092 --registry-url http://registry:8081",
    );
  addSettingFlags(command, clusterSettings).action(
    async (file: string | undefined, options: Record<string, unknown>) => {
      const { values, topics } = await settingsOf(options);
      const [{ withCluster }, { deploy }, { loadGraph }] = await Promise.all([
        import("../compose/cluster/cluster.ts"),
        import("../compose/cluster/deploy.ts"),
        import("../compose/graph-file.ts"),
      ]);
      const graph = withOverrides(await loadGraph(file), topics);
      await withCluster(values, ({ log, registry }) => deploy({ graph, log, registry }));
      say(`rdg: graph "${graph.model.name}" is deployed (fingerprint ${graph.fingerprint.slice(0, 12)})`);
    },
  );
}
