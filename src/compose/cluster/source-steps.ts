// What a deployment finds of topics that teams have: whether they are there as the definition says, and what their owners have changed since the last one.
import { formatDuration, formatSize } from "../../core/units.ts";
import type { FoundTopic, TopicInspector } from "../../log/kafka/inspect.ts";
import type { TopicSettings } from "../../log/port.ts";
import type { GraphModel } from "../../model/definition.ts";
import type { SchemaRegistry } from "../../schemas/port.ts";
import { checkSources, type SourceReport } from "../../schemas/source-check.ts";

interface SourceStep {
  readonly kind: "source";
  readonly name: string;
  /** `notice`: nothing is done about it. */
  readonly action: "create" | "change" | "notice";
  readonly what: string;
  readonly risk: "safe" | "breaking" | "impossible";
  readonly why?: string;
}

type SourceTopic = TopicSettings & { readonly foreign: string };

/**
 * The same topics with the retention that their owners give them, which the log keeps: so a later change of it is seen.
 * @param known what the log has kept until now
 */
export async function withSources(
  topics: readonly TopicSettings[],
  known: ReadonlyMap<string, TopicSettings>,
  inspector: Pick<TopicInspector, "findForeign">,
): Promise<{ readonly topics: readonly TopicSettings[]; readonly found: ReadonlyMap<string, FoundTopic> }> {
  const names = new Set(topics.filter(isSource).map(({ foreign }) => foreign));
  if (names.size === 0) return { topics, found: new Map() };
  const found = await inspector.findForeign([...names]);
  const noted = topics.map((topic): TopicSettings => {
    const there = topic.foreign === undefined ? undefined : found.get(topic.foreign);
    if (there === undefined) return topic;
    const retention = there.settingsHidden === true ? known.get(topic.name)?.retention : retentionOf(there);
    return { ...topic, retention: retention ?? {} };
  });
  return { topics: noted, found };
}

export const isSource = (topic: TopicSettings): topic is SourceTopic => topic.foreign !== undefined;

/** Compaction keeps the latest record of each key for ever. */
const retentionOf = ({ compacted, retention }: FoundTopic): TopicSettings["retention"] => (compacted ? {} : retention);

/** @param known what the last deployment found */
export function sourceTopicSteps(
  { name, foreign, form, partitions, retention }: SourceTopic,
  known: TopicSettings | undefined,
  found: FoundTopic | undefined,
): SourceStep[] {
  const step = { kind: "source", name } as const;
  const action = known === undefined ? "create" : "change";
  if (found === undefined) {
    const hint = "Correct the definition, or ask the topic's owner.";
    if (known === undefined)
      return [{ ...step, action, what: `the topic ${foreign} is not there`, risk: "impossible", why: hint }];
    const why = `It was deleted: positions in it say nothing of another one that is called so. ${hint}`;
    return [{ ...step, action, what: `the topic ${foreign} is gone`, risk: "impossible", why }];
  }
  const steps: SourceStep[] = [];
  if (found.partitions !== partitions) {
    const what = `the topic ${foreign} has ${found.partitions} partitions, the definition says ${partitions}`;
    const why = `Write partitions: ${found.partitions} in the definition.`;
    steps.push({ ...step, action, what, risk: "impossible", why });
  }
  // A side input is read whole at every start.
  const isForgetful = form === "compacted" && !found.compacted && Object.keys(retention).length > 0;
  const why = isForgetful ? { why: "Rows that retention has removed are missing after the next start." } : {};
  const kept = retentionText(found);
  if (known === undefined) {
    steps.push({ ...step, action, what: `read from the topic ${foreign}, ${kept}`, risk: "safe", ...why });
  } else if (!sameRetention(known.retention, retention)) {
    steps.push({ ...step, action, what: `the topic ${foreign} is ${kept} now`, risk: "safe", ...why });
  }
  return steps;
}

/** What producers write now, by the latest version. Of earlier ones `rdg plan` tells. */
export async function sourceSchemaSteps(model: GraphModel, registry: SchemaRegistry): Promise<SourceStep[]> {
  return (await checkSources(model, registry, 1)).flatMap(stepsOfReport);
}

function stepsOfReport({ event, input, subject, version, findings, problem }: SourceReport): SourceStep[] {
  const name = event === undefined ? `inputs.${input}` : `events.${event}`;
  const step = { kind: "source", name } as const;
  if (problem !== undefined) {
    // Without a version that is named, each record's own schema is found by its id.
    if (version === undefined) return [];
    const why = `Records are read by its version ${version}.`;
    return [{ ...step, action: "change", what: problem.message, risk: "breaking", why }];
  }
  return findings.flatMap(({ version: at, place, reason, unreadable }): SourceStep[] => {
    if (unreadable === "none") return [];
    const what = `${subject} version ${at}, ${place || "the record"}: ${reason}`;
    if (unreadable === "some") {
      return [{ ...step, action: "notice", what, risk: "safe", why: "Some records cannot be read." }];
    }
    return [{ ...step, action: "change", what, risk: "breaking", why: "No record of it can be read." }];
  });
}

function retentionText({ compacted, settingsHidden, retention: { timeMs, sizeBytes } }: FoundTopic): string {
  if (settingsHidden === true) return "whose settings may not be read";
  if (compacted) return "compacted";
  const bounds = [
    ...(timeMs === undefined ? [] : [formatDuration(timeMs)]),
    ...(sizeBytes === undefined ? [] : [`${formatSize(sizeBytes)} a partition`]),
  ];
  return bounds.length === 0 ? "kept for ever" : `kept for ${bounds.join(" or ")}`;
}

const sameRetention = (a: TopicSettings["retention"], b: TopicSettings["retention"]): boolean =>
  a.timeMs === b.timeMs && a.sizeBytes === b.sizeBytes;
