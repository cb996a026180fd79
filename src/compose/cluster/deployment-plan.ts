// What it takes to bring a definition to a cluster: the desired topics, schemas and definition compared with what is there, as steps that can be read and taken.
import { formatDuration, formatSize } from "../../core/units.ts";
import type { Graph } from "../../index.ts";
import type { FoundTopic, TopicInspector } from "../../log/kafka/inspect.ts";
import type { LogReader, TopicSettings } from "../../log/port.ts";
import { classifyChange } from "../../model/change.ts";
import type { GraphModel } from "../../model/definition.ts";
import type { SchemaRegistry } from "../../schemas/port.ts";
import { topicsOf } from "../topics.ts";
import { auditTopic } from "./deployment-audit.ts";
import { type Deployment, deploymentOf, deploymentTopic, readDeployment } from "./deployment.ts";
import { placementSteps } from "./placement-steps.ts";
import { schemaSteps } from "./schema-steps.ts";
import { isSource, sourceSchemaSteps, sourceTopicSteps, withSources } from "./source-steps.ts";

export interface Cluster {
  readonly log: LogReader;
  readonly registry: SchemaRegistry;
  readonly topics: TopicInspector;
  /** Of the store that processes share, where they share one. */
  readonly tables?: SharedTables;
}

export interface SharedTables {
  /** What is missing for the definition, for people. @throws RdgError conflict where a column means something else */
  missing(model: GraphModel): Promise<readonly string[]>;
  make(model: GraphModel): Promise<void>;
  /** Offset of the last transaction that a store has applied; -1 before the first, or where it is no store that processes share. */
  applied(model: GraphModel, store: string): Promise<number>;
}

/**
 * - `safe`: nothing that is stored is touched.
 * - `loss`: stored records may be deleted.
 * - `breaking`: stored events, producers or readers of the deployed definition cannot go on as they are.
 * - `impossible`: it cannot be done at all.
 */
export type StepRisk = "safe" | "loss" | "breaking" | "impossible";

export interface DeploymentStep {
  readonly kind: "topic" | "source" | "schema" | "table" | "definition" | "placement";
  readonly name: string;
  /** `notice`: nothing is done about it. */
  readonly action: "create" | "change" | "notice";
  /** For people, such as `retention 6h -> 1h`. */
  readonly what: string;
  readonly risk: StepRisk;
  /** Why it cannot be done, or is not safe. */
  readonly why?: string;
}

export interface DeploymentPlan {
  readonly steps: readonly DeploymentStep[];
  /** The model as it would be deployed. */
  readonly target: Deployment;
  readonly desired: readonly TopicSettings[];
  readonly found: ReadonlyMap<string, FoundTopic>;
}

/** Changes nothing. @throws RdgError conflict, `other_graph`, `definition_changed` */
export async function planDeployment(graph: Graph, cluster: Cluster): Promise<DeploymentPlan> {
  const { log, registry } = cluster;
  const deployed = await readDeployment(log);
  const target = deploymentOf(graph, deployed);
  cluster.topics.place(topicsOf(target.model));
  const declared = [deploymentTopic, auditTopic, ...topicsOf(target.model)];
  const known = new Map((await log.topics()).map((topic) => [topic.name, topic]));
  const { topics: desired, found: sources } = await withSources(declared, known, cluster.topics);
  const found = await cluster.topics.find(desired.filter(isOwnTopic).map(({ name }) => name));
  const steps = [
    ...desired.flatMap((topic) =>
      isSource(topic)
        ? sourceTopicSteps(topic, known.get(topic.name), sources.get(topic.foreign))
        : topicSteps(topic, known.get(topic.name), found.get(topic.name)),
    ),
    ...(await sourceSchemaSteps(target.model, registry)),
    ...(await schemaSteps(target.model, deployed?.model, registry, log.prefix)),
    ...(await tableSteps(target, cluster.tables)),
    ...definitionSteps(target, deployed),
    ...(await placementSteps(target.model, deployed?.model, cluster)),
  ];
  return { steps, target, desired, found };
}

/** Type topics are views of the journal, and topics that a team already has are not RDG's to change. */
export function isOwnTopic({ form, foreign }: TopicSettings): boolean {
  return form !== "updates" && foreign === undefined;
}

function topicSteps(
  topic: TopicSettings,
  known: TopicSettings | undefined,
  found: FoundTopic | undefined,
): DeploymentStep[] {
  const { name, form, partitions, retention } = topic;
  const step = { kind: "topic", name } as const;
  if (!isOwnTopic(topic)) {
    const what = viewText(topic);
    if (known === undefined) return [{ ...step, action: "create", what, risk: "safe" }];
    const before = viewText(known);
    if (before === what) return [];
    if (known.published !== undefined && known.partitions !== partitions && topic.published !== undefined) {
      const why = "It would reorder the records of a key.";
      return [{ ...step, action: "change", what: `${before} -> ${what}`, risk: "impossible", why }];
    }
    return [{ ...step, action: "change", what: `${before} -> ${what}`, risk: "safe" }];
  }
  if (known !== undefined && known.cluster !== topic.cluster) {
    const [before, after] = [known.cluster, topic.cluster].map((cluster) => cluster ?? "main");
    const why = "Its records, and the positions of its jobs, are of the cluster that it is on.";
    return [{ ...step, action: "change", what: `cluster ${before} -> ${after}`, risk: "impossible", why }];
  }
  if (found === undefined) {
    const where = topic.cluster === undefined ? "" : `, on the cluster ${topic.cluster}`;
    const what = `${partitions} partition${partitions === 1 ? "" : "s"}, ${retentionText(retention, form)}${where}`;
    if (known === undefined) return [{ ...step, action: "create", what, risk: "safe" }];
    const why = "It was deleted on the brokers, and its records with it: jobs and replicas go by positions in it.";
    return [{ ...step, action: "create", what, risk: "impossible", why }];
  }
  const steps: DeploymentStep[] = [];
  if (found.compacted !== (form === "compacted")) {
    const what = `compaction ${onOff(found.compacted)} -> ${onOff(form === "compacted")}`;
    const why = "Somebody has changed its cleanup.policy: records may be gone.";
    steps.push({ ...step, action: "change", what, risk: "impossible", why });
  }
  steps.push(...partitionSteps(topic, known, found).map((each) => ({ ...step, ...each })));
  const [before, after] = [retentionText(found.retention, form), retentionText(retention, form)];
  if (before !== after) {
    const lowers =
      isLower(retention.timeMs, found.retention.timeMs) || isLower(retention.sizeBytes, found.retention.sizeBytes);
    const risk = lowers
      ? ({ risk: "loss", why: "Records that are older or more are deleted." } as const)
      : ({ risk: "safe" } as const);
    steps.push({ ...step, action: "change", what: `${before} -> ${after}`, ...risk });
  }
  return steps;
}

/** What somebody has added on the brokers counts once it is deployed. */
function partitionSteps(
  { form, partitions }: TopicSettings,
  known: TopicSettings | undefined,
  found: FoundTopic,
): Pick<DeploymentStep, "action" | "what" | "risk" | "why">[] {
  const before = known?.partitions ?? found.partitions;
  if (before === partitions && found.partitions === partitions) return [];
  const from = found.partitions > partitions ? found.partitions : before;
  const step = { action: "change", what: `partitions ${from} -> ${partitions}` } as const;
  const isTaken = found.partitions === before || found.partitions === partitions;
  if (form === "records" && isTaken && partitions > before && partitions % before === 0) {
    return [{ ...step, risk: "safe" }];
  }
  return [{ ...step, risk: "impossible", why: whyNot(form, from, partitions) }];
}

function whyNot(form: TopicSettings["form"], before: number, partitions: number): string {
  if (partitions < before) return "Kafka cannot take partitions away.";
  if (form !== "records") return "It would reorder the records of a key.";
  return `Partitions grow by whole factors, so that it is known where a key was before: ${2 * before}, ${3 * before}, ...`;
}

function viewText({ published, partitions, retention }: TopicSettings): string {
  if (published === undefined) return "a view of the journal";
  return `published as ${published} updates in ${partitions} partition${partitions === 1 ? "" : "s"}, ${retentionText(retention, "records")}`;
}

async function tableSteps({ model }: Deployment, tables: SharedTables | undefined): Promise<DeploymentStep[]> {
  const missing = (await tables?.missing(model)) ?? [];
  return missing.map((what) => ({ kind: "table", name: model.name, action: "create", what, risk: "safe" }));
}

function definitionSteps(target: Deployment, deployed: Deployment | undefined): DeploymentStep[] {
  const step = { kind: "definition", name: target.model.name } as const;
  if (deployed === undefined) return [{ ...step, action: "create", what: `graph ${target.model.name}`, risk: "safe" }];
  return classifyChange(deployed.model, target.model).map(({ what, place, class: kind }): DeploymentStep => ({
    ...step,
    name: place,
    action: "change",
    what,
    ...(kind === "breaking"
      ? { risk: "breaking", why: "Stored events, producers or readers cannot go on as they are." }
      : { risk: "safe" }),
    ...(kind === "needs_backfill" ? { why: "What was computed from earlier events stays as it is." } : {}),
  }));
}

/** Missing: for ever, without a bound. */
function isLower(after: number | undefined, before: number | undefined): boolean {
  return after !== undefined && (before === undefined || after < before);
}

const onOff = (is: boolean): string => (is ? "on" : "off");

function retentionText({ timeMs, sizeBytes }: TopicSettings["retention"], form: TopicSettings["form"]): string {
  if (form === "compacted") {
    return timeMs === undefined ? "versions kept for ever" : `versions kept for ${formatDuration(timeMs)}`;
  }
  const bounds = [
    timeMs === undefined ? [] : formatDuration(timeMs),
    sizeBytes === undefined ? [] : `${formatSize(sizeBytes)} a partition`,
  ].flat();
  return bounds.length === 0 ? "kept for ever" : `kept for ${bounds.join(" or ")}`;
}
