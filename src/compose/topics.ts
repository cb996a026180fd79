// The topics that a definition needs, with their forms, partitions and retention.
import type { TopicSettings } from "../log/port.ts";
import type { GraphModel } from "../model/definition.ts";

/** Quarantined records are kept this long. */
const quarantineRetention = { timeMs: 30 * 86_400_000, sizeBytes: 1_000_000_000 };

export function topicsOf(model: GraphModel): readonly TopicSettings[] {
  const eventRetentionMs = Math.max(0, ...model.events.map(({ retention }) => retention.timeMs ?? 0));
  return [
    ...model.events.map(({ name, partitions, retention }): TopicSettings => ({
      name: `events.${name}`,
      form: "records",
      partitions,
      retention,
    })),
    // Replaced versions of rows are kept for as long as events that may be replayed, so that a replay finds what the first run found.
    ...model.sideInputs.map(({ name }): TopicSettings => ({
      name: `inputs.${name}`,
      form: "compacted",
      partitions: 1,
      retention: { timeMs: eventRetentionMs },
    })),
    ...["gateway", ...model.jobs.map(({ event }) => `jobs.${event}`)].map((stage): TopicSettings => ({
      name: `quarantine.${stage}`,
      form: "records",
      partitions: 1,
      retention: quarantineRetention,
    })),
    ...typeTopicsOf(model).map((name): TopicSettings => ({ name, form: "updates", partitions: 1, retention: {} })),
  ];
}

export function typeTopicsOf(model: GraphModel): readonly string[] {
  return [...model.nodes.map(({ name }) => `nodes.${name}`), ...model.edges.map(({ name }) => `edges.${name}`)];
}
