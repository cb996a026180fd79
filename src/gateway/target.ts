// One event or side input as the gateway takes records for it: its transcoder, its topic, what it has counted.
import type { ModelSchema } from "../model/avro/schemas.ts";
import type { EventModel, GraphModel, SideInputModel } from "../model/definition.ts";
import type { SchemaRegistry } from "../schemas/port.ts";
import { ForeignSchemas } from "./foreign-schemas.ts";
import { RecordOutput, createOutputs } from "./record-output.ts";
import { Transcoder } from "./transcoder.ts";

/** Counts since the gateway was created. A repeated request (idempotency key) counts its records as repeated, not as accepted. */
export interface TargetStatistics {
  readonly kind: "event" | "input";
  readonly name: string;
  readonly partitions: readonly PartitionStatistics[];
  /** Records refused with their request, and records quarantined. */
  readonly rejected: number;
  readonly quarantined: number;
}

export interface PartitionStatistics {
  readonly accepted: number;
  /** Of accepted records, as stored. */
  readonly bytes: number;
  readonly repeated: number;
}

export interface TargetLimits {
  readonly recordBytesMax: number;
  readonly recordsMax: number;
}

/** A side input's topic is one partition: its rows are one table. */
const inputPartitions = 1;

export class Target {
  readonly kind: "event" | "input";
  readonly name: string;
  readonly topic: string;
  readonly transcoder: Transcoder;
  readonly foreign: ForeignSchemas;
  rejected = 0;
  quarantined = 0;
  readonly #outputs: RecordOutput[];
  readonly #partitions: { accepted: number; bytes: number; repeated: number }[];

  constructor(
    kind: "event" | "input",
    model: EventModel | SideInputModel,
    own: { readonly id: number; readonly schema: string },
    registry: SchemaRegistry,
    limits: TargetLimits,
    outputs: readonly RecordOutput[],
  ) {
    this.kind = kind;
    this.name = model.name;
    this.topic = topicOf(kind, model.name);
    const { fields, key } = model;
    const time = "time" in model ? model.time : undefined;
    this.#outputs = [...outputs];
    this.transcoder = new Transcoder({ fields, key, time, schemaId: own.id, outputs: this.#outputs, ...limits });
    this.foreign = new ForeignSchemas(registry, fields, own.schema);
    this.#partitions = outputs.map(() => ({ accepted: 0, bytes: 0, repeated: 0 }));
  }

  get partitions(): number {
    return this.#outputs.length;
  }

  /** Keys are shared out among so many partitions: a topic may have grown, or is to grow in a moment. */
  shareAmong(partitions: number): void {
    while (this.#outputs.length < partitions) this.#outputs.push(new RecordOutput(false));
    this.#outputs.length = partitions;
    while (this.#partitions.length < partitions) this.#partitions.push({ accepted: 0, bytes: 0, repeated: 0 });
  }

  count(partition: number, records: number, bytes: number, repeated: boolean): void {
    const counts = this.#partitions[partition]!;
    if (repeated) {
      counts.repeated += records;
    } else {
      counts.accepted += records;
      counts.bytes += bytes;
    }
  }

  statistics(): TargetStatistics {
    const { kind, name, rejected, quarantined } = this;
    return { kind, name, rejected, quarantined, partitions: this.#partitions.map((counts) => ({ ...counts })) };
  }
}

export function topicOf(kind: "event" | "input", name: string): string {
  return `${kind === "event" ? "events" : "inputs"}.${name}`;
}

/** Registers the schemas of all events and side inputs. Keyed by topic. @throws RdgError conflict, `incompatible_schema` */
export async function createTargets(
  model: GraphModel,
  schemas: readonly ModelSchema[],
  registry: SchemaRegistry,
  limits: TargetLimits,
): Promise<ReadonlyMap<string, Target>> {
  const byTopic = new Map(schemas.map((each) => [each.topic, each]));
  const targets = new Map<string, Target>();
  // Shared by all targets: a body is transcoded and taken without a pause.
  const eventOutputs = createOutputs(Math.max(1, ...model.events.map(({ partitions }) => partitions)), false);
  const inputOutputs = createOutputs(inputPartitions, true);
  const create = async (kind: "event" | "input", declared: EventModel | SideInputModel): Promise<void> => {
    const topic = topicOf(kind, declared.name);
    const { subject, schema } = byTopic.get(topic)!;
    const { id } = await registry.register(subject, schema);
    const outputs = "partitions" in declared ? eventOutputs.slice(0, declared.partitions) : inputOutputs;
    targets.set(topic, new Target(kind, declared, { id, schema }, registry, limits, outputs));
  };
  for (const event of model.events) if (event.source === undefined) await create("event", event);
  for (const input of model.sideInputs) if (input.source === undefined) await create("input", input);
  return targets;
}
