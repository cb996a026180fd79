// `rdg status`: what a running RDG has received, made of it and still has to do; and whether a cluster is still as it was deployed.
import type { Command } from "commander";
import { clusterSettings } from "../compose/cluster/settings.ts";
import { formatSize } from "../core/units.ts";
import type { ProcessStatus, Status } from "../observe/port.ts";
import { type ServerOptions, addServerOptions, requestJson } from "./connection.ts";
import { stepLines } from "./deployment-steps.ts";
import { exitCodes, type Finish, print, printJson } from "./output.ts";
import { addSettingFlags, settingsOf } from "./settings.ts";

export function addStatusCommand(program: Command, finish: Finish): void {
  const command = program.command("status").description("print positions, lags, rates and counters of a running RDG");
  addServerOptions(command, "address of the RDG to ask")
    .option("--json", "print as JSON")
    .option("--drift", "ask no RDG, but whether the cluster of the settings is still as it was deployed")
    .addHelpText(
      "after",
      "\n--drift ends with 6 where topics, schemas or retention are not what was deployed.\n\nExample:\n  $ rdg status --json",
    );
  addSettingFlags(command, clusterSettings).action(async (options: ServerOptions & Record<string, unknown>) => {
    if (options["drift"] === true) return finish(await printDrift(options));
    const status = await requestJson<Status | ProcessStatus>(options, "/v1/status");
    if (options["json"] === true) printJson(status);
    else print(written(status));
  });
}

/** Answers the exit code. */
async function printDrift(options: Readonly<Record<string, unknown>>): Promise<number> {
  const { values } = await settingsOf(options);
  const [{ withCluster }, { findDrift }] = await Promise.all([
    import("../compose/cluster/cluster.ts"),
    import("../compose/cluster/drift.ts"),
  ]);
  const steps = await withCluster(values, findDrift);
  if (options["json"] === true) printJson({ drift: steps });
  else for (const line of stepLines(steps, "the cluster is as it was deployed")) print(line);
  return steps.length === 0 ? exitCodes.ok : exitCodes.drift;
}

function written(status: Status | ProcessStatus): string {
  const lines = [`graph ${status.graph} (${status.fingerprint.slice(0, 12)}), ${status.ready ? "ready" : "not ready"}`];
  if ("roles" in status) {
    lines.push(`roles ${status.roles.join(", ")}`);
    for (const [type, store] of Object.entries(status.placement ?? {})) lines.push(`${type} on store ${store}`);
  }
  if (status.grpc !== undefined) lines.push(`gRPC at ${status.grpc}`);
  if (status.refusing !== undefined) lines.push(`refusing events: ${status.refusing}`);
  lines.push("", "topics");
  const topicRows = status.topics.map(({ name, partitions, sizeBytes }) => [
    `  ${name}`,
    partitions.map(({ first, next }) => `${first}..${next}`).join(" "),
    formatSize(sizeBytes),
  ]);
  lines.push(...aligned(topicRows), "", "jobs");
  for (const job of status.jobs) {
    lines.push(`  ${job.event}  ${job.state}  lag ${job.lagRecords} records  ${job.ratePerSecond.toFixed(0)}/s`);
    const counters = Object.entries(job.counters).map(
      ([name, counts]) => `${name} ${counts.reduce((sum, n) => sum + n, 0)}`,
    );
    lines.push(`    ${counters.join("  ")}`);
    if (job.cause !== undefined) lines.push(`    ${job.cause}`);
  }
  if (status.store !== undefined) lines.push("", "store", ...storeLines(status.store));
  return lines.join("\n");
}

function storeLines(store: Status["store"]): string[] {
  return [
    ...Object.entries(store.nodes).map(([name, count]) => `  node ${name}  ${count}`),
    ...Object.entries(store.edges).map(([name, count]) => `  edge ${name}  ${count}`),
    `  memory ${formatSize(store.memoryBytes)} of ${formatSize(store.memoryMaxBytes)}`,
    `  behind the journal by ${store.lagTransactions} transactions`,
  ];
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]!.length))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
}
