// Brings a definition to a cluster: topics first, then schemas, then the definition that processes go by. Each step may be repeated.
import type { Graph } from "../../index.ts";
import type { Log } from "../../log/port.ts";
import { modelSchemas } from "../../model/avro/schemas.ts";
import type { SchemaRegistry } from "../../schemas/port.ts";
import { topicsOf } from "../topics.ts";
import { changeDeployment, type Deployment, deploymentOf, deploymentTopic } from "./deployment.ts";

export interface DeployOptions {
  readonly graph: Graph;
  readonly log: Log;
  readonly registry: SchemaRegistry;
}

/** @throws RdgError conflict when somebody else deploys at the same time, or the definition cannot follow the deployed one; invalid, `topic_exists_differently` */
export async function deploy({ graph, log, registry }: DeployOptions): Promise<Deployment> {
  await log.ensureTopics([deploymentTopic]);
  return await changeDeployment(log, async (before) => {
    const after = deploymentOf(graph, before);
    await log.ensureTopics(topicsOf(after.model));
    for (const { subject, schema } of modelSchemas(after.model)) await registry.register(subject, schema);
    return after;
  });
}
