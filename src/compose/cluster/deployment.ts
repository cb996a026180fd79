// What is deployed on a cluster, kept in its log: the definition in the order of the stored data, and what all processes of the graph share.
//
// Batches of updates name types by their index, so all processes must agree on the order. Only a deployment changes it; a process that starts takes it as it
// is. Two deployments at once cannot both succeed: each takes over the one producer that may write here before it reads what there is.
import { crc32 } from "node:zlib";
import { RdgError } from "../../core/errors.ts";
import { randomId, secretBytes } from "../../core/random.ts";
import type { Graph } from "../../index.ts";
import type { Log, LogReader, Producer, TopicSettings } from "../../log/port.ts";
import { alignModel } from "../../model/align.ts";
import { definitionFormat, type GraphModel } from "../../model/definition.ts";
import { onStore } from "./placement-settings.ts";

/** 1: the first. */
const format = 1;
const key = "graph";

export const deploymentTopic: TopicSettings = {
  name: "deployment",
  form: "compacted",
  partitions: 1,
  retention: {},
};

export interface Deployment {
  /** Of the graph on this cluster: what a folder keeps of it is of no use for another one. */
  readonly id: string;
  readonly model: GraphModel;
  readonly fingerprint: string;
  /** Signs continuation tokens: all serving processes understand each other's. */
  readonly continuationKey: Uint8Array;
}

interface DeploymentRecord {
  readonly format: number;
  readonly id: string;
  readonly fingerprint: string;
  readonly continuationKey: string;
  /** crc32 of the model's JSON, in hex. */
  readonly checksum: string;
  readonly model: GraphModel;
}

/** Undefined where nothing is deployed. @throws RdgError corrupt; invalid, `unknown_format` */
export async function readDeployment(log: LogReader): Promise<Deployment | undefined> {
  const topics = await log.topics();
  if (!topics.some(({ name }) => name === deploymentTopic.name)) return undefined;
  let text: string | undefined;
  for await (const { count, values } of log.read({ topics: [deploymentTopic.name], until: [] })) {
    const { bytes, starts } = values;
    text = Buffer.from(bytes.subarray(starts[count - 1], starts[count])).toString("utf8");
  }
  return text === undefined ? undefined : decode(text);
}

/** Reads what is deployed, and writes what `next` makes of it, unless somebody else deploys meanwhile: that is a conflict, and nothing is written. `next` may write of it with the producer. */
export async function changeDeployment(
  log: Log,
  next: (deployed: Deployment | undefined, producer: Producer) => Promise<Deployment>,
): Promise<Deployment> {
  const producer = await log.producer("deployment");
  try {
    const before = await readDeployment(log);
    const after = await next(before, producer);
    const text = encode(after);
    if (before !== undefined && encode(before) === text) return after;
    await producer.append(deploymentTopic.name, 0, { count: 1, keys: columnOf(key), values: columnOf(text) });
    return after;
  } finally {
    await producer.close();
  }
}

/** @throws RdgError conflict, `other_graph`, `definition_changed` */
export function deploymentOf({ model, fingerprint }: Graph, before: Deployment | undefined): Deployment {
  if (before === undefined) return { id: randomId(), model, fingerprint, continuationKey: secretBytes(32) };
  if (before.model.name !== model.name) {
    throw new RdgError("conflict", "other_graph", `The cluster holds the graph "${before.model.name}".`, {
      hint: `Give "${model.name}" topics of its own: set kafka.prefix.`,
    });
  }
  return { ...before, model: alignModel(before.model, model), fingerprint };
}

/**
 * The process's own definition in the order of the deployed one. It may be an earlier one: what it lacks, the process does without.
 * @throws RdgError conflict, `not_deployed`, when it has more than was deployed
 */
export function alignWithDeployment(graph: Graph, { model: deployed }: Deployment): Graph {
  const aligned = alignModel(deployed, graph.model);
  const lacking = missingIn(aligned, deployed);
  if (lacking.length > 0) {
    throw new RdgError("conflict", "not_deployed", `The definition has what is not deployed: ${lacking.join(", ")}.`, {
      place: graph.name,
      hint: "Deploy it first: `rdg deploy`.",
    });
  }
  const partitionsOf = new Map(deployed.events.map(({ name, partitions }) => [name, partitions]));
  const events = aligned.events.map((event) => ({ ...event, partitions: partitionsOf.get(event.name)! }));
  const nodes = aligned.nodes.map((node, i) => onStore(node, deployed.nodes[i]!.store));
  const edges = aligned.edges.map((edge, i) => onStore(edge, deployed.edges[i]!.store));
  return { ...graph, model: { ...aligned, events, nodes, edges } };
}

export function nothingDeployed(): RdgError {
  return new RdgError("conflict", "not_deployed", "Nothing is deployed on this cluster.", {
    hint: "Run `rdg deploy` first, or start with --deploy-on-start true while you develop.",
  });
}

function missingIn(model: GraphModel, deployed: GraphModel): string[] {
  const named = (kind: string, of: (model: GraphModel) => readonly { readonly name: string }[]): string[] => {
    const known = new Set(of(deployed).map(({ name }) => name));
    return of(model).flatMap(({ name }) => (known.has(name) ? [] : `${kind} ${name}`));
  };
  const properties =
    (of: "nodes" | "edges") =>
    (each: GraphModel): { name: string }[] =>
      each[of].flatMap((type) => type.properties.map((property) => ({ name: `${type.name}.${property.name}` })));
  return [
    ...named("event", ({ events }) => events),
    ...named("side input", ({ sideInputs }) => sideInputs),
    ...named("node", ({ nodes }) => nodes),
    ...named("edge", ({ edges }) => edges),
    ...named("property", properties("nodes")),
    ...named("property", properties("edges")),
  ];
}

function encode({ id, model, fingerprint, continuationKey }: Deployment): string {
  const record: DeploymentRecord = {
    format,
    id,
    fingerprint,
    continuationKey: Buffer.from(continuationKey).toString("base64"),
    checksum: checksumOf(model),
    model,
  };
  return JSON.stringify(record);
}

function decode(text: string): Deployment {
  const record = parse(text);
  if (record.format !== format || record.model?.format !== definitionFormat) {
    const found = `${record.format}.${record.model?.format}`;
    throw new RdgError("invalid", "unknown_format", `What is deployed has format ${found}.`, {
      place: deploymentTopic.name,
      hint: "It was deployed by another version of RDG: use that one.",
    });
  }
  if (record.checksum !== checksumOf(record.model)) throw damaged();
  const { id, model, fingerprint, continuationKey } = record;
  return { id, model, fingerprint, continuationKey: new Uint8Array(Buffer.from(continuationKey, "base64")) };
}

function parse(text: string): DeploymentRecord {
  try {
    const value = JSON.parse(text) as DeploymentRecord | null;
    if (typeof value?.format === "number") return value;
  } catch {
    // Said below.
  }
  throw damaged();
}

function damaged(): RdgError {
  return new RdgError("corrupt", "bad_deployment", "The record of what is deployed is damaged.", {
    place: deploymentTopic.name,
    hint: "Only RDG may write to this topic.",
  });
}

function checksumOf(model: GraphModel): string {
  return crc32(JSON.stringify(model)).toString(16).padStart(8, "0");
}

function columnOf(text: string): { bytes: Uint8Array; starts: Uint32Array } {
  const bytes = Buffer.from(text);
  return { bytes, starts: Uint32Array.of(0, bytes.length) };
}
