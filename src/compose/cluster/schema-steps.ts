// What a deployment registers: the schemas of RDG's own topics, under subjects that are called like the topics are in Kafka.
import { RdgError } from "../../core/errors.ts";
import { modelSchemas } from "../../model/avro/schemas.ts";
import type { GraphModel } from "../../model/definition.ts";
import type { SchemaRegistry } from "../../schemas/port.ts";

interface SchemaStep {
  readonly kind: "schema";
  readonly name: string;
  readonly action: "create" | "change";
  readonly what: string;
  readonly risk: "safe" | "impossible";
  readonly why?: string;
}

/** @param prefix of the topics' names in Kafka */
export async function schemaSteps(
  target: GraphModel,
  deployed: GraphModel | undefined,
  registry: SchemaRegistry,
  prefix = "",
): Promise<SchemaStep[]> {
  const before = new Map((deployed === undefined ? [] : modelSchemas(deployed)).map((each) => [each.topic, each]));
  const steps: SchemaStep[] = [];
  for (const { topic, subject, schema } of modelSchemas(target, prefix)) {
    if ((await registry.lookup(subject, schema)) !== undefined) continue;
    const versions = await registry.versions(subject).catch(noneOfUnknown);
    if (versions.length > 0) {
      const reasons = await registry.incompatibilities(subject, schema);
      steps.push(stepOf(subject, "change", `version ${versions.at(-1)! + 1}`, reasons));
      continue;
    }
    // Up to 0.1 subjects had no prefix: what is under such a name is this graph's where it has the schema that is deployed.
    const old = before.get(topic);
    const isOwn = prefix !== "" && old !== undefined && (await registry.lookup(old.subject, old.schema)) !== undefined;
    if (!isOwn) steps.push(stepOf(subject, "create", "version 1", []));
    else {
      const reasons = await registry.incompatibilities(old.subject, schema);
      steps.push(stepOf(subject, "create", `version 1, until now under ${old.subject}`, reasons));
    }
  }
  return steps;
}

function stepOf(name: string, action: SchemaStep["action"], what: string, reasons: readonly string[]): SchemaStep {
  const step = { kind: "schema", name, action, what } as const;
  return reasons.length === 0 ? { ...step, risk: "safe" } : { ...step, risk: "impossible", why: reasons.join("; ") };
}

function noneOfUnknown(error: unknown): readonly number[] {
  if (error instanceof RdgError && error.kind === "not_found") return [];
  throw error;
}
