// The topics that a definition needs, with their forms, partitions and retention.
import type { TopicSettings } from "../log/port.ts";
import type { EdgeModel, GraphModel, NodeModel } from "../model/definition.ts";

/** Quarantined records are kept this long. */
const quarantineRetention = { timeMs: 30 * 86_400_000, sizeBytes: 1_000_000_000 };

/** Where events are kept without a bound in time, replaced versions of side-input rows are kept for a week. */
const versionsDefaultMs = 7 * 86_400_000;

export function topicsOf(model: GraphModel): readonly TopicSettings[] {
  return [
    ...model.events.map(({ name, partitions, retention, source, cluster }): TopicSettings => ({
      name: `events.${name}`,
      form: "records",
      partitions,
      retention,
      ...(source !== undefined && { foreign: source.topic }),
      ...(cluster !== undefined && { cluster }),
    })),
    ...model.sideInputs.map(({ name, partitions = 1, source }): TopicSettings => ({
      name: `inputs.${name}`,
      form: "compacted",
      partitions,
      ...(source === undefined
        ? { retention: { timeMs: versionsMsOf(model, name) } }
        : { retention: {}, foreign: source.topic }),
    })),
    ...quarantiningStages(model).map((stage): TopicSettings => ({
      name: `quarantine.${stage}`,
      form: "records",
      partitions: 1,
      retention: quarantineRetention,
    })),
    ...model.nodes.map((node) => typeTopic(`nodes.${node.name}`, node)),
    ...model.edges.map((edge) => typeTopic(`edges.${edge.name}`, edge)),
  ];
}

/** Rows that come through the gateway are looked at there. */
function quarantiningStages({ jobs, sideInputs }: GraphModel): readonly string[] {
  return [
    "gateway",
    ...jobs.map(({ event }) => `jobs.${event}`),
    ...sideInputs.flatMap(({ name, source }) => (source === undefined ? [] : [`inputs.${name}`])),
  ];
}

/** Replaced versions of rows are kept for as long as the events that look them up, so that a replay finds what the first run found. */
function versionsMsOf(model: GraphModel, input: string): number {
  const users = model.jobs.filter(({ steps }) => steps.some((step) => step.kind === "enrich" && step.input === input));
  const events = model.events.filter(({ name }) => users.some(({ event }) => event === name));
  return Math.max(0, ...events.map(({ retention }) => retention.timeMs ?? versionsDefaultMs));
}

function typeTopic(name: string, { published }: NodeModel | EdgeModel): TopicSettings {
  if (published === undefined) return { name, form: "updates", partitions: 1, retention: {} };
  const { form, partitions, retention } = published;
  return { name, form: "updates", partitions, retention, published: form };
}

export function typeTopicsOf(model: GraphModel): readonly string[] {
  return [...model.nodes.map(({ name }) => `nodes.${name}`), ...model.edges.map(({ name }) => `edges.${name}`)];
}
