// Brings a definition to a cluster: topics first, then schemas and tables, then the definition that processes go by, and last what deletes records. Each step may be repeated.
import { RdgError } from "../../core/errors.ts";
import type { Graph } from "../../index.ts";
import type { Log, TopicSettings } from "../../log/port.ts";
import { modelSchemas } from "../../model/avro/schemas.ts";
import { auditTopic, type Deploying, recordDeployment } from "./deployment-audit.ts";
import { type Cluster, type DeploymentPlan, isOwnTopic, planDeployment, type StepRisk } from "./deployment-plan.ts";
import { changeDeployment, deploymentOf, deploymentTopic } from "./deployment.ts";

export interface DeployOptions {
  readonly graph: Graph;
  readonly cluster: Cluster & { readonly log: Log };
  /** What is done although it is not safe. */
  readonly allow: readonly StepRisk[];
  readonly by: Deploying;
}

/**
 * Answers what was done; nothing where everything was there.
 * @throws RdgError conflict, `deployment_refused`, before anything is touched; conflict when somebody else deploys at the same time
 */
export async function deploy({ graph, cluster, allow, by }: DeployOptions): Promise<DeploymentPlan> {
  const { log, registry, topics } = cluster;
  const plan = await planDeployment(graph, cluster);
  refuse(plan, allow);
  if (plan.steps.every(({ action }) => action === "notice")) return plan;
  await log.ensureTopics([deploymentTopic, auditTopic]);
  await changeDeployment(log, async (before, producer) => {
    const after = deploymentOf(graph, before);
    const change = { graph, before: before?.fingerprint, steps: plan.steps, allowed: allow };
    await recordDeployment(producer, "deployment.begun", by, change);
    // What is kept for longer until now stays so until everything else is done.
    await log.ensureTopics(plan.desired.map((topic) => generous(topic, plan)));
    for (const { subject, schema } of modelSchemas(after.model, log.prefix)) await registry.register(subject, schema);
    await cluster.tables?.make(after.model);
    await recordDeployment(producer, "definition.deployed", by, change);
    return after;
  });
  await log.ensureTopics(plan.desired);
  // The log does not look whether somebody else has changed its topics since.
  const now = await topics.find(plan.desired.filter(isOwnTopic).map(({ name }) => name));
  for (const topic of plan.desired.filter(isOwnTopic)) {
    const { timeMs, sizeBytes } = now.get(topic.name)?.retention ?? {};
    const { retention } = topic;
    if (timeMs !== retention.timeMs || sizeBytes !== retention.sizeBytes) await topics.setRetention(topic);
  }
  return plan;
}

function refuse({ steps }: DeploymentPlan, allow: readonly StepRisk[]): void {
  const refused = steps.filter(({ risk }) => risk !== "safe" && !allow.includes(risk));
  if (refused.length === 0) return;
  const told = refused.map(({ name, what, why }) => `${name}: ${what}${why === undefined ? "" : ` (${why})`}`);
  const flags = [...new Set(refused.map(({ risk }) => risk))].flatMap((risk) => flagOf[risk] ?? []);
  throw new RdgError("conflict", "deployment_refused", `Nothing was deployed. ${told.join(" ")}`, {
    hint: flags.length === 0 ? "Correct the definition or the cluster." : `To do it all the same: ${flags.join(" ")}.`,
    details: { refused },
  });
}

const flagOf: Readonly<Partial<Record<StepRisk, string>>> = { loss: "--allow-loss", breaking: "--allow-breaking" };

function generous(topic: TopicSettings, { found }: DeploymentPlan): TopicSettings {
  const there = found.get(topic.name);
  if (there === undefined) return topic;
  const [timeMs, sizeBytes] = [
    longest(topic.retention.timeMs, there.retention.timeMs),
    longest(topic.retention.sizeBytes, there.retention.sizeBytes),
  ];
  return {
    ...topic,
    retention: { ...(timeMs !== undefined && { timeMs }), ...(sizeBytes !== undefined && { sizeBytes }) },
  };
}

/** Missing: for ever, without a bound. */
function longest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : Math.max(a, b);
}
