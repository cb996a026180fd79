// `rdg status`: what a running RDG has received, made of it and still has to do.
import type { Command } from "commander";
import { formatSize } from "../core/units.ts";
import type { ProcessStatus, Status } from "../observe/port.ts";
import { type ServerOptions, addServerOptions, requestJson } from "./connection.ts";
import { print, printJson } from "./output.ts";

export function addStatusCommand(program: Command): void {
  const command = program.command("status").description("print positions, lags, rates and counters of a running RDG");
  addServerOptions(command, "address of the RDG to ask")
    .option("--json", "print as JSON")
    .addHelpText("after", "\nExample:\n  $ rdg status --json")
    .action(async (options: ServerOptions & { json?: boolean }) => {
      const status = await requestJson<Status | ProcessStatus>(options, "/v1/status");
      if (options.json === true) printJson(status);
      else print(written(status));
    });
}

function written(status: Status | ProcessStatus): string {
  const lines = [`graph ${status.graph} (${status.fingerprint.slice(0, 12)}), ${status.ready ? "ready" : "not ready"}`];
  if ("roles" in status) lines.push(`roles ${status.roles.join(", ")}`);
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
