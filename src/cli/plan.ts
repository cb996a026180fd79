// `rdg plan`: prints what a definition asks for: topics, schemas, types and jobs; what has changed of topics that teams have; what a deployment would do.
import type { Command } from "commander";
import type { DeploymentStep } from "../compose/cluster/deployment-plan.ts";
import { withPlacement } from "../compose/cluster/placement-settings.ts";
import { clusterSettings } from "../compose/cluster/settings.ts";
import { withOverrides } from "../compose/cluster/topic-overrides.ts";
import type { Graph } from "../index.ts";
import type { GraphModel } from "../model/definition.ts";
import type { SourceReport } from "../schemas/source-check.ts";
import { stepLines } from "./deployment-steps.ts";
import { exitCodes, type Finish, print, printJson } from "./output.ts";
import { addSettingFlags, type InvocationSettings, settingsOf } from "./settings.ts";

interface Options extends Readonly<Record<string, unknown>> {
  readonly json?: boolean;
  readonly registry?: string;
  readonly registryCa?: string;
}

export function addPlanCommand(program: Command, finish: Finish): void {
  const command = program
    .command("plan")
    .description("print the topics, schemas, types and jobs of a definition, and what `rdg deploy` would do")
    .argument("[graph]", "the definition (default: graph.ts in this folder)")
    .option("--registry <url>", "hold what is read from a team's topics to their live schemas")
    .option("--registry-ca <file>", "certificates that are trusted with it, PEM")
    .option("--json", "print the frozen definition as JSON")
    .addHelpText(
      "after",
      `
Where kafka.bootstrap is set, the cluster is asked: + is made, ~ is changed, ! is refused unless it is allowed.
With --registry, or where registry.url is set, the exit code is 5 when a live schema has drifted from the definition, or has records that cannot be read.

Example:
  $ rdg plan graph.ts
  $ rdg plan graph.ts --registry http://localhost:8081`,
    );
  addSettingFlags(command, clusterSettings).action(async (file: string | undefined, options: Options) => {
    const [settings, { describeGraph }, { loadGraph }] = await Promise.all([
      settingsOf(options),
      import("../compose/describe-graph.ts"),
      import("../compose/graph-file.ts"),
    ]);
    const graph = withPlacement(withOverrides(await loadGraph(file), settings.topics), settings.placement);
    const steps = settings.values["kafka.bootstrap"] === "" ? undefined : await stepsOf(graph, settings);
    const registry = options.registry ?? settings.values["registry.url"];
    const sources = registry === "" ? undefined : await checked(graph.model, { ...options, registry });
    if (options.json === true) {
      printJson({
        fingerprint: graph.fingerprint,
        model: graph.model,
        ...(sources && { sources: sources.reports }),
        ...(steps && { steps }),
      });
    } else {
      print(describeGraph(graph));
      for (const line of (sources?.reports ?? []).flatMap(linesOf)) print(line);
      if (steps)
        print(
          ["", "to deploy", ...stepLines(steps, "nothing: everything is there").map((line) => `  ${line}`)].join("\n"),
        );
    }
    if (sources?.drifted === true) finish(exitCodes.difference);
  });
}

async function stepsOf(graph: Graph, { values }: InvocationSettings): Promise<readonly DeploymentStep[]> {
  const [{ withCluster }, { planDeployment }] = await Promise.all([
    import("../compose/cluster/cluster.ts"),
    import("../compose/cluster/deployment-plan.ts"),
  ]);
  return (await withCluster(values, (cluster) => planDeployment(graph, cluster))).steps;
}

async function checked(model: GraphModel, options: Options) {
  const [{ openNamedRegistry }, { checkSources, hasDrifted }] = await Promise.all([
    import("../compose/registry.ts"),
    import("../schemas/source-check.ts"),
  ]);
  const registry = await openNamedRegistry(options, process.env);
  try {
    const reports = await checkSources(model, registry);
    return { reports, drifted: reports.some(hasDrifted) };
  } finally {
    await registry.close();
  }
}

const effects = { every: "no record can be read", some: "some records cannot be read", none: "mind" } as const;

function linesOf(report: SourceReport): readonly string[] {
  const { event, input, topic, values, subject, version, latest, drift, findings, problem } = report;
  const read = version === undefined ? "each record's own schema" : `version ${version}`;
  const registered =
    values === "json" ? "JSON, without a schema" : `${subject}, read by ${read}, latest ${latest ?? "none"}`;
  return [
    "",
    `${event === undefined ? `side input ${input}` : `event ${event}`} from ${topic} (${registered})`,
    ...(problem === undefined ? [] : [`  cannot be checked: ${problem.message}`]),
    ...(drift?.changes ?? []).map((change) => `  version ${drift!.version}: ${change}`),
    ...findings.map(({ version, place, reason, unreadable }) => {
      return `  version ${version}, ${place || "the record"}: ${reason} (${effects[unreadable]})`;
    }),
  ];
}
