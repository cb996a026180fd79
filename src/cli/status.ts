// `rdg status`: what a running RDG has received, made of it and still has to do.
import type { Command } from "commander";
import { formatSize } from "../core/units.ts";
import type { Status } from "../observe/port.ts";
import { type ServerOptions, addServerOptions, requestJson } from "./connection.ts";
import { print, printJson } from "./output.ts";

export function addStatusCommand(program: Command): void {
  const command = program.command("status").description("print positions, lags, rates and counters of a running RDG");
  addServerOptions(command, "address of the RDG to ask")
    .option("--json", "print as JSON")
    .addHelpText("after", "\nExample:\n  $ rdg status --json")
    .action(async (options: ServerOptions & { json?: boolean }) => {
      const status = await requestJson<Status>(options, "/v1/status");
      if (options.json === true) printJson(status);
      else print(written(status));
    });
}

function written(status: Status): string {
  const lines = [`graph ${status.graph} (${status.fingerprint.slice(0, 12)}), ${status.ready ? "ready" : "not ready"}`];
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
  lines.push("", "store");
  for (const [name, count] of Object.entries(status.store.nodes)) lines.push(`  node ${name}  ${count}`);
  for (const [name, count] of Object.entries(status.store.edges)) lines.push(`  edge ${name}  ${count}`);
  lines.push(`  memory ${formatSize(status.store.memoryBytes)} of ${formatSize(status.store.memoryMaxBytes)}`);
  lines.push(`  behind the journal by ${status.store.lagTransactions} transactions`);
  return lines.join("\n");
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
