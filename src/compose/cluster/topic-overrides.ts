// What the settings say of single topics, checked, and put in place of what the definition says.
import { didYouMean } from "../../core/did-you-mean.ts";
import { RdgError } from "../../core/errors.ts";
import { formatDuration, formatSize, parseDuration, parseSize } from "../../core/units.ts";
import type { Graph } from "../../index.ts";
import type { Publication, Retention } from "../../model/definition.ts";

export interface TopicOverride {
  /** Of type topics only, and always there. */
  readonly form?: Publication["form"];
  readonly partitions?: number;
  /** Of events only. */
  readonly cluster?: string;
  /** null: without a bound. */
  readonly timeMs?: number | null;
  readonly sizeBytes?: number | null;
}

export type TopicOverrides = ReadonlyMap<string, TopicOverride>;

const partitionsMax = 1024;
const forever = "forever";

/** @param path of the settings file, for errors. @throws RdgError invalid, `bad_setting`, `unknown_setting` */
export function readTopicOverrides(written: unknown, path: string): TopicOverrides {
  if (written === undefined) return new Map();
  if (!isRecord(written)) throw bad("topics", written, "topics by name", path);
  return new Map(Object.entries(written).map(([topic, value]) => [topic, readOne(topic, value, path)]));
}

function readOne(topic: string, value: unknown, path: string): TopicOverride {
  const place = `topics["${topic}"]`;
  if (!isRecord(value)) throw bad(place, value, "{ form, cluster, partitions, retention }", path);
  checkNames(place, value, ["form", "cluster", "partitions", "retention"], path);
  const { form, cluster, partitions, retention = {} } = value;
  if (cluster !== undefined && (typeof cluster !== "string" || !topic.startsWith("events."))) {
    const expected =
      "the name of a cluster, of topics of events alone: windows are published in one transaction, which cannot span clusters";
    throw bad(`${place}.cluster`, cluster, expected, path);
  }
  if (isTypeTopic(topic) ? form !== "single" && form !== "packed" : form !== undefined) {
    throw bad(`${place}.form`, form, isTypeTopic(topic) ? '"single" or "packed"' : "for type topics only", path);
  }
  if (partitions !== undefined && !isCount(partitions)) {
    throw bad(`${place}.partitions`, partitions, `between 1 and ${partitionsMax}`, path);
  }
  if (!isRecord(retention)) throw bad(`${place}.retention`, retention, "{ time, size }", path);
  checkNames(`${place}.retention`, retention, ["time", "size"], path);
  const bound = (name: "time" | "size"): number | null => {
    const given = retention[name];
    if (given === forever) return null;
    const parse = name === "time" ? parseDuration : parseSize;
    const parsed = typeof given === "string" ? parse(given, path) : given;
    if (typeof parsed === "number" && Number.isSafeInteger(parsed) && parsed > 0) return parsed;
    throw bad(`${place}.retention.${name}`, given, `"${forever}", a text such as ${example[name]}, or a number`, path);
  };
  return {
    ...(form === undefined ? {} : { form: form as Publication["form"] }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(partitions === undefined ? {} : { partitions }),
    ...(retention["time"] === undefined ? {} : { timeMs: bound("time") }),
    ...(retention["size"] === undefined ? {} : { sizeBytes: bound("size") }),
  };
}

const isTypeTopic = (topic: string): boolean => topic.startsWith("nodes.") || topic.startsWith("edges.");

const example = { time: '"6h"', size: '"10GB"' };

/** The definition as it is deployed with these. @throws RdgError invalid, `unknown_topic` */
export function withOverrides(graph: Graph, overrides: TopicOverrides): Graph {
  const { model } = graph;
  const names = [
    ...model.events.map(({ name }) => `events.${name}`),
    ...model.nodes.map(({ name }) => `nodes.${name}`),
    ...model.edges.map(({ name }) => `edges.${name}`),
  ];
  const unknown = [...overrides.keys()].find((topic) => !names.includes(topic));
  if (unknown !== undefined) {
    const hint = didYouMean(unknown, names, 40);
    throw new RdgError(
      "invalid",
      "unknown_topic",
      `The settings name the topic "${unknown}", which the definition does not have.`,
      {
        place: "topics",
        hint,
      },
    );
  }
  const events = graph.model.events.map((event) => {
    const { partitions, cluster, ...bounds } = overrides.get(`events.${event.name}`) ?? {};
    return {
      ...event,
      partitions: partitions ?? event.partitions,
      retention: retentionOf(event.retention, bounds),
      ...(cluster === undefined ? {} : { cluster }),
    };
  });
  const nodes = model.nodes.map((node) => withPublication(node, overrides.get(`nodes.${node.name}`)));
  const edges = model.edges.map((edge) => withPublication(edge, overrides.get(`edges.${edge.name}`)));
  return { ...graph, model: { ...model, events, nodes, edges } };
}

function withPublication<T extends object>(type: T, override: TopicOverride | undefined): T {
  if (override?.form === undefined) return type;
  const { form, partitions = 1 } = override;
  return { ...type, published: { form, partitions, retention: retentionOf({}, override) } };
}

function retentionOf(defined: Retention, { timeMs, sizeBytes }: TopicOverride): Retention {
  const time = timeMs === undefined ? defined.timeMs : (timeMs ?? undefined);
  const size = sizeBytes === undefined ? defined.sizeBytes : (sizeBytes ?? undefined);
  return { ...(time === undefined ? {} : { timeMs: time }), ...(size === undefined ? {} : { sizeBytes: size }) };
}

/** As `rdg config` prints it. */
export function describeOverride({ form, cluster, partitions, timeMs, sizeBytes }: TopicOverride): string {
  const parts = [
    form === undefined ? [] : `published as ${form} updates`,
    cluster === undefined ? [] : `on the cluster ${cluster}`,
    partitions === undefined ? [] : `${partitions} partitions`,
    timeMs === undefined ? [] : timeMs === null ? "kept for ever" : `kept for ${formatDuration(timeMs)}`,
    sizeBytes === undefined ? [] : sizeBytes === null ? "of any size" : `at most ${formatSize(sizeBytes)} a partition`,
  ];
  return parts.flat().join(", ");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= partitionsMax;
}

function checkNames(place: string, value: object, names: readonly string[], path: string): void {
  const unknown = Object.keys(value).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new RdgError("invalid", "unknown_setting", `${place} has no "${unknown}".`, {
    place: path,
    hint: didYouMean(unknown, names),
  });
}

function bad(setting: string, value: unknown, expected: string, path: string): RdgError {
  const message = `Setting ${setting} is ${JSON.stringify(value)}, not ${expected}.`;
  return new RdgError("invalid", "bad_setting", message, { place: path });
}
