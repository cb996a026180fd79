// `rdg audit`: prints the audit log of a data folder, also while a server writes to it; or that of a cluster's deployments.
import type { Command } from "commander";
import { clusterSettings } from "../compose/cluster/settings.ts";
import type { AuditRecord } from "../serve/auth/audit-log.ts";
import { print, say } from "./output.ts";
import { addSettingFlags, settingsOf } from "./settings.ts";

export function addAuditCommand(program: Command): void {
  const command = program
    .command("audit")
    .description("print who did, or was refused, what needs the scope admin; and changes of keys and definitions")
    .option("--json", "print one JSON object per record")
    .option("--deployments", "ask the cluster of the settings instead: who has deployed what, and when")
    .addHelpText("after", "\nExample:\n  $ rdg audit --json | grep denied\n  $ rdg audit --deployments");
  addSettingFlags(command, clusterSettings).action(async (options: Readonly<Record<string, unknown>>) => {
    const { values } = await settingsOf(options);
    if (options["deployments"] === true) {
      const [{ withCluster }, { readDeployments }] = await Promise.all([
        import("../compose/cluster/cluster.ts"),
        import("../compose/cluster/deployment-audit.ts"),
      ]);
      return await withCluster(values, ({ log }) => printAll(readDeployments(log), options));
    }
    const { readAudit } = await import("../serve/auth/audit-log.ts");
    await printAll(readAudit(values.data), options);
  });
}

async function printAll(
  records: AsyncIterable<AuditRecord | undefined>,
  options: Readonly<Record<string, unknown>>,
): Promise<void> {
  let unreadable = 0;
  for await (const record of records) {
    if (record === undefined) unreadable++;
    else print(options["json"] === true ? JSON.stringify(record) : written(record));
  }
  if (unreadable > 0) say(`${unreadable} lines cannot be read, for example because a crash cut them off.`);
}

function written({ at, event, who, address, operation, target, status, suppressed, details }: AuditRecord): string {
  const parts = [at, event, who === undefined ? "-" : `${who.id} (${who.name})`, address ?? "-", operation];
  if (target !== undefined) parts.push(target);
  if (status !== undefined) parts.push(String(status));
  if (suppressed !== undefined) parts.push(`${suppressed} more were refused before`);
  if (details !== undefined) parts.push(JSON.stringify(details));
  // Names in tokens are whatever their issuer lets through; a terminal must not take them for commands.
  return parts.join("  ").replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}
