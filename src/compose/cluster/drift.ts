// Whether a cluster is still what was deployed: what it would take to deploy the same once more.
import type { Graph } from "../../index.ts";
import { type Cluster, type DeploymentStep, planDeployment } from "./deployment-plan.ts";
import { nothingDeployed, readDeployment } from "./deployment.ts";

/** Empty where nothing has changed. @throws RdgError conflict, `not_deployed` */
export async function findDrift(cluster: Cluster): Promise<readonly DeploymentStep[]> {
  const deployed = await readDeployment(cluster.log);
  if (deployed === undefined) throw nothingDeployed();
  const { model, fingerprint } = deployed;
  const graph: Graph = { kind: "graph", name: model.name, model, fingerprint, maps: new Map(), enrichments: new Map() };
  return (await planDeployment(graph, cluster)).steps;
}
