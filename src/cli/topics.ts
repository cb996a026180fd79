// `rdg topics advise`: proposes retention and partitions of a cluster's topics by what they receive.
import type { Command } from "commander";
import { clusterSettings } from "../compose/cluster/settings.ts";
import { systemClock } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import { formatDuration, formatSize, parseDuration, parseSize } from "../core/units.ts";
import type { Advice, AdviceBounds } from "../observe/topic-advice.ts";
import { print, printJson } from "./output.ts";
import { addSettingFlags, settingsOf } from "./settings.ts";

export function addTopicsCommand(program: Command): void {
  const topics = program.command("topics").description("look after a cluster's topics");
  const advise = topics
    .command("advise")
    .description("propose retention and partitions of the topics of events, by what they receive")
    .requiredOption("--budget <size>", "disk for these topics on all brokers, such as 500GB")
    .option("--over <duration>", "the time that is looked at", "1d")
    .option("--archive-lag <duration>", "how far the slowest reader may fall behind: kept is twice as much", "1h")
    .option("--peak <factor>", "how much more comes at the worst times than on average", "3")
    .option("--json", "print as JSON")
    .addHelpText(
      "after",
      "\nIt changes nothing: the proposal is for rdg.config.ts.\n\nExample:\n  $ rdg topics advise --budget 500GB",
    );
  addSettingFlags(advise, clusterSettings).action(async (options: Record<string, string | boolean>) => {
    const { values } = await settingsOf(options);
    const bounds: AdviceBounds = {
      budgetBytes: parseSize(String(options["budget"]), "--budget"),
      replicas: Math.max(1, values["kafka.replication"]),
      lagMs: parseDuration(String(options["archiveLag"]), "--archive-lag"),
      peak: peakOf(String(options["peak"])),
    };
    const overMs = parseDuration(String(options["over"]), "--over");
    const [{ withCluster }, { adviseTopics, loadOf }] = await Promise.all([
      import("../compose/cluster/cluster.ts"),
      import("../observe/topic-advice.ts"),
    ]);
    const loads = await withCluster(values, async ({ log }) => {
      const names = (await log.topics()).flatMap(({ name }) => (name.startsWith("events.") ? name : []));
      return await Promise.all(names.map((name) => loadOf(log, name, overMs, systemClock.now())));
    });
    const advice = adviseTopics(loads, bounds);
    if (options["json"] === true) printJson(advice);
    else for (const line of written(advice, bounds)) print(line);
  });
}

function peakOf(text: string): number {
  const peak = Number(text);
  if (peak >= 1 && peak <= 1_000) return peak;
  throw new RdgError("invalid", "bad_peak", `--peak is ${JSON.stringify(text)}, not a number between 1 and 1000.`);
}

function written({ topics, diskBytes, fits }: Advice, { budgetBytes, replicas }: AdviceBounds): readonly string[] {
  const lines = topics.map(({ topic, recordsPerSecond, bytesPerRecord, partitions, partitionsNeeded }) => {
    const load = `${recordsPerSecond.toFixed(1)}/s of ${bytesPerRecord.toFixed(0)} B`;
    return `${topic}  ${load}, ${partitions} partitions${partitionsNeeded > partitions ? `, needs ${partitionsNeeded}` : ""}`;
  });
  const entries = topics.flatMap(({ topic, retentionMs, retentionBytes }) =>
    retentionMs === undefined || retentionBytes === undefined
      ? []
      : `  "${topic}": { retention: { time: "${durationText(retentionMs)}", size: "${formatSize(retentionBytes)}" } },`,
  );
  const disk = `${formatSize(diskBytes)} of ${formatSize(budgetBytes)}, with ${replicas} replica${replicas === 1 ? "" : "s"}`;
  return [
    ...lines,
    "",
    ...(entries.length === 0 ? ["nothing came: there is nothing to go by"] : ["topics: {", ...entries, "}"]),
    "",
    fits ? `takes ${disk}` : `takes ${disk}: the budget does not hold twice the lag of everything`,
  ];
}

/** In one unit, as settings take it. */
function durationText(ms: number): string {
  return ms % 86_400_000 === 0
    ? `${ms / 86_400_000}d`
    : formatDuration(ms).includes(" ")
      ? `${ms}ms`
      : formatDuration(ms);
}
