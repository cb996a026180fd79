// A definition as a readable plan: topics, schemas, types with their merge policies, jobs step by step.
import { formatDuration, formatSize } from "../core/units.ts";
import type { Graph } from "../index.ts";
import { describePlan } from "../jobs/plan/describe.ts";
import type { PropertyModel, Retention } from "../model/definition.ts";
import { topicsOf } from "./topics.ts";

export function describeGraph({ model, fingerprint, enrichments }: Graph): string {
  const lines = [`graph ${model.name}  (fingerprint ${fingerprint.slice(0, 16)})`, "", "topics"];
  for (const { name, form, partitions, retention } of topicsOf(model)) {
    lines.push(
      `  ${name}  ${form}, ${partitions} partition${partitions === 1 ? "" : "s"}, ${retentionText(retention)}`,
    );
  }
  lines.push("", "nodes");
  for (const { name, properties, ttlMs, store } of model.nodes)
    lines.push(`  ${name}${ttlText(ttlMs)}${storeText(store)}`, ...propertyLines(properties));
  lines.push("", "edges");
  for (const { name, from, to, properties, ttlMs, store } of model.edges) {
    const told = `${ttlText(ttlMs)}${storeText(store)}`;
    lines.push(`  (${from})-[${name}]->(${to})${told}`, ...propertyLines(properties));
  }
  lines.push("", "jobs");
  for (const job of model.jobs) {
    const { windowMs, windowKeysMax, windowBytesMax } = job.settings;
    const window = `window ${formatDuration(windowMs)}, at most ${windowKeysMax} elements or ${formatSize(windowBytesMax)}`;
    lines.push(`  from events.${job.event}  (${window})`);
    lines.push(
      ...describePlan(job)
        .trimEnd()
        .split("\n")
        .map((line) => `    ${line}`),
    );
    if (job.output.kind === "map") lines.push("    A function: it runs embedded and on Kafka workers, not on Flink.");
  }
  if (enrichments.size > 0) lines.push("", "enrichments");
  for (const { model: of } of enrichments.values()) {
    const { name, on, fields, batchMax, timeoutMs, ttlMs } = of;
    const kept = ttlMs === 0 ? "not kept" : `kept for ${formatDuration(ttlMs)}`;
    lines.push(`  ${name} of ${on}  (at most ${batchMax} ids a call, ${formatDuration(timeoutMs)}, ${kept})`);
    lines.push(...fields.map((field) => `    ${field.name}: ${field.type.kind}${field.optional ? ", optional" : ""}`));
  }
  return lines.join("\n");
}

function propertyLines(properties: readonly PropertyModel[]): string[] {
  return properties.map(
    ({ name, type, merge }) => `    ${name}: ${merge === "union" ? `set of ${type.kind}` : type.kind}, ${merge}`,
  );
}

function storeText(store: string | undefined): string {
  return store === undefined ? "" : `  on store ${store}`;
}

function ttlText(ttlMs: number | undefined): string {
  return ttlMs === undefined ? "" : `  ttl ${formatDuration(ttlMs)}`;
}

function retentionText({ timeMs, sizeBytes }: Retention): string {
  const bounds = [
    timeMs === undefined ? [] : formatDuration(timeMs),
    sizeBytes === undefined ? [] : formatSize(sizeBytes),
  ].flat();
  return bounds.length === 0 ? "kept for ever" : `kept for ${bounds.join(" or ")}`;
}
