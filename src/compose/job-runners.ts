// The jobs of a definition, ready to run over any log: their compiled plans, and the tables of their side inputs.
import type { Clock, Timers } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import { randomId } from "../core/random.ts";
import { parseDuration } from "../core/units.ts";
import type { Graph } from "../index.ts";
import { compileJob } from "../jobs/plan/compiler.ts";
import { compileMapJob } from "../jobs/plan/map-job.ts";
import type { Downstream } from "../jobs/runner/job-attempt.ts";
import { JobRunner, type JobRunnerOptions } from "../jobs/runner/job-runner.ts";
import { QuarantinedRows } from "../jobs/runner/quarantined-rows.ts";
import { openSideInputs, type SideInputs, type SideInputsOptions } from "../jobs/runner/side-inputs.ts";
import type { Log, Producer, TopicSettings } from "../log/port.ts";
import { modelSchemas } from "../model/avro/schemas.ts";
import type { GraphModel, JobModel } from "../model/definition.ts";
import { decodeUpdateBatch } from "../model/update/codec.ts";
import { compileTypePublisher } from "../model/update/type-records.ts";
import type { RegisteredSchema, SchemaRegistry } from "../schemas/port.ts";
import { conversionsTo } from "./conversions.ts";
import type { Logger } from "./logger.ts";
import type { EmbeddedSettings } from "./settings.ts";
import { conversionsFrom, rowConversionsFrom } from "./source-conversions.ts";
import { typeTopicsOf } from "./topics.ts";

export interface JobRunnersOptions {
  readonly graph: Graph;
  readonly settings: EmbeddedSettings;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Has the definition's topics. */
  readonly log: Log;
  readonly registry: SchemaRegistry;
  /** Name of this process among those of the log; default a new one. */
  readonly instance?: string;
  /** Whoever applies what the jobs publish. */
  readonly downstream: Downstream;
}

export interface JobRunners {
  /** None is started. */
  readonly runners: readonly JobRunner[];
  readonly sideInputs: SideInputs;
}

/** Registers the definition's schemas. */
export async function openJobRunners(options: JobRunnersOptions): Promise<JobRunners> {
  const { graph, log, registry, timers } = options;
  const { model } = graph;
  const schemas: Schemas = new Map();
  for (const { topic, subject, schema } of modelSchemas(model, log.prefix)) {
    schemas.set(topic, await registry.register(subject, schema));
  }
  const runners: JobRunner[] = [];
  const sideInputs = openSideInputs({
    model,
    log,
    timers,
    schemaIds: new Map(
      model.sideInputs.flatMap(({ name, source }) =>
        source === undefined ? [[name, schemas.get(`inputs.${name}`)!.id]] : [],
      ),
    ),
    conversions: ({ name, fields }) => conversionsTo(registry, fields, schemas.get(`inputs.${name}`)!.schema),
    sourceConversions: (input, source) => rowConversionsFrom(registry, input, source),
    quarantine: quarantineOf(options),
    sizeBytesMax: options.settings["inputs.memory"],
    oldestNeededMs: () => Math.min(...runners.map((runner) => runner.oldestNeededMs)),
  });
  const publish = publisherOf(model, await log.topics(), schemas);
  for (const job of model.jobs) runners.push(runnerOf(job, options, schemas, sideInputs, publish));
  return { runners, sideInputs };
}

/** Keeps rows that could not be read. Most processes never meet one: a producer is opened for the first. */
function quarantineOf({ graph, log, instance = randomId() }: JobRunnersOptions): SideInputsOptions["quarantine"] {
  let opened: Promise<Producer> | undefined;
  const producer = (): Promise<Producer> => {
    opened ??= log.producer(`inputs.${instance}`);
    opened.catch(() => (opened = undefined));
    return opened;
  };
  const byInput = new Map(
    graph.model.sideInputs.map(({ name }) => [name, new QuarantinedRows({ input: name, log, producer })]),
  );
  return (input, records) => byInput.get(input)!.add(records);
}

/** By topic. */
type Schemas = Map<string, RegisteredSchema>;

/** Of all type topics that are published; undefined where none is. */
function publisherOf(
  model: GraphModel,
  topics: readonly TopicSettings[],
  schemas: Schemas,
): JobRunnerOptions["publish"] {
  const typeTopics = new Set(typeTopicsOf(model));
  const publishers = topics.flatMap(({ name, partitions, published }) => {
    if (published === undefined || !typeTopics.has(name)) return [];
    const schemaId = schemas.get(name)!.id;
    return [{ name, publish: compileTypePublisher(model, { name, partitions, published, schemaId }) }];
  });
  if (publishers.length === 0) return undefined;
  return (packed) => {
    const batch = decodeUpdateBatch(packed);
    return publishers.flatMap(({ name, publish }) => publish(batch).map((records) => ({ topic: name, ...records })));
  };
}

function runnerOf(
  defined: JobModel,
  { graph, settings, clock, timers, logger, log, registry, downstream }: JobRunnersOptions,
  schemas: Schemas,
  sideInputs: SideInputs,
  publish: JobRunnerOptions["publish"],
): JobRunner {
  const window = settings["jobs.window"];
  const windowMs = window === "" ? defined.settings.windowMs : parseDuration(window, "jobs.window");
  const job = { ...defined, settings: { ...defined.settings, windowMs } };
  const { model } = graph;
  const event = model.events.find(({ name }) => name === job.event)!;
  const own = schemas.get(`events.${event.name}`);
  const map = graph.maps.get(event.name);
  const tables = { side: (input: string) => sideInputs.table(input) };
  return new JobRunner({
    log,
    model,
    event,
    job,
    clock,
    timers,
    sideInputs,
    schemaId: own?.id,
    conversion:
      own === undefined
        ? conversionsFrom(registry, event, event.source!)
        : conversionsTo(registry, event.fields, own.schema),
    compile: () => (map === undefined ? compileJob(model, job, tables) : compileMapJob(model, job, map, tables)),
    downstream,
    ...(publish && { publish }),
    onRetry: (name, error) => logger.warn({ job: name }, `job ${name} tries again: ${describeError(error)}`),
  });
}
