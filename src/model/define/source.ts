// `event(..., { from })`: the topic that a team already has an event's records in.
import type { EventSource, FieldModel } from "../definition.ts";
import { sourceShape } from "../source-shape.ts";
import { checkInteger, checkOptions, definitionError, plainEntries } from "./check.ts";
import type { EventFields } from "./field.ts";

export interface SourceOptions<F extends EventFields> {
  /** Its name, as it is. */
  readonly topic: string;
  /** `avro` (default): with Confluent's framing, by schemas of the registry. `json`: one JSON text per record, without a registry. */
  readonly values?: "avro" | "json";
  /** Of the registry; default `<topic>-value`. */
  readonly subject?: string;
  /** The version that records are read by: its names, aliases and defaults. Default: each record's own schema. */
  readonly version?: number;
  /** Where a field is in the team's records, where it is not under its own name: `customer.id`, or a list where names have dots. */
  readonly paths?: { readonly [P in keyof F]?: string | readonly string[] };
}

const topicName = /^[A-Za-z0-9._-]{1,249}$/;
const stepsMax = 16;
const stepMax = 1_000;
const versionMax = 2 ** 31 - 1;

export function sourceModel<F extends EventFields>(from: SourceOptions<F>, fields: readonly FieldModel[]): EventSource {
  checkOptions(from, ["topic", "values", "subject", "version", "paths"], "from");
  const { topic, values = "avro", subject, version } = from;
  if (typeof topic !== "string" || !topicName.test(topic)) {
    const hint = "Kafka's topics have 1 to 249 letters, digits, dots, dashes and underscores.";
    throw definitionError("bad_topic_name", "This cannot be the name of a topic.", hint, "from.topic");
  }
  if (values !== "avro" && values !== "json") {
    const message = `${JSON.stringify(values)} is no form of values.`;
    throw definitionError("bad_values", message, 'Choose "avro" or "json".', "from.values");
  }
  if (values === "json" && (subject !== undefined || version !== undefined)) {
    const hint = "Leave subject and version out, or read the values as Avro.";
    throw definitionError("bad_values", "JSON values have no schema in the registry.", hint, "from.values");
  }
  if (subject !== undefined && (typeof subject !== "string" || subject === "")) {
    const hint = "Subjects are texts, mostly <topic>-value.";
    throw definitionError("bad_subject", "This cannot be a subject of the registry.", hint, "from.subject");
  }
  if (version !== undefined) checkInteger(version, 1, versionMax, "from.version");
  const paths = pathsOf(from.paths, fields);
  const source: EventSource = {
    topic,
    values,
    ...(values === "avro" && { subject: subject ?? `${topic}-value` }),
    ...(version !== undefined && { version }),
    ...(paths !== undefined && { paths }),
  };
  // Two fields cannot be read from the same place.
  sourceShape(fields, source);
  return source;
}

function pathsOf(
  given: Readonly<Record<string, unknown>> | undefined,
  fields: readonly FieldModel[],
): Readonly<Record<string, readonly string[]>> | undefined {
  if (given === undefined) return undefined;
  const entries = plainEntries(given, "The paths", "from.paths").map(([name, path]) => {
    const place = `from.paths.${name}`;
    if (!fields.some((field) => field.name === name)) {
      const hint = `Fields are: ${fields.map((field) => field.name).join(", ")}.`;
      throw definitionError("unknown_field", `There is no field ${JSON.stringify(name)}.`, hint, place);
    }
    const steps: readonly unknown[] = typeof path === "string" ? path.split(".") : Array.isArray(path) ? path : [];
    const fits = steps.every((step) => typeof step === "string" && step !== "" && step.length <= stepMax);
    if (steps.length < 1 || steps.length > stepsMax || !fits) {
      const hint = 'Write the names from the outside to the inside: "customer.id", or ["customer", "id"].';
      throw definitionError("bad_path", "This is no path into a record.", hint, place);
    }
    return [name, steps as readonly string[]] as const;
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
