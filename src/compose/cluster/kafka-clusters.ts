// What the settings say of Kafka clusters beside the main one, which topics of events may be on.
import { didYouMean } from "../../core/did-you-mean.ts";
import { RdgError } from "../../core/errors.ts";
import { resolveSettings, type SettingList, variableOf } from "../../core/settings.ts";
import type { KafkaConnection } from "../../log/kafka/settings.ts";
import { type ClusterSettings, clusterSettings, kafkaConnectionOf, reachedBy } from "./settings.ts";

/** Clusters by name, each with the settings of the process as they are for it. */
type NamedClusters = NonNullable<ClusterSettings["clusters"]>;

const namePattern = /^[a-z][a-z0-9_-]{0,31}$/;

/**
 * @param path of the settings file, for errors
 * @throws RdgError invalid, `bad_setting`, `unknown_setting`
 */
export function readClusters(
  written: unknown,
  settings: ClusterSettings,
  environment: Readonly<Record<string, string | undefined>>,
  path: string,
): NamedClusters {
  if (written === undefined) return new Map();
  if (!isRecord(written)) throw bad("clusters", "are not Kafka clusters by name", path);
  const list: SettingList = Object.fromEntries(
    reachedBy.map((own) => {
      const main = clusterSettings[`kafka.${own}`];
      return [own, { ...main, default: own === "bootstrap" ? "" : settings[`kafka.${own}`] }];
    }),
  );
  const clusters = new Map<string, ClusterSettings>();
  for (const [name, content] of Object.entries(written)) {
    const place = `clusters.${name}`;
    if (!namePattern.test(name)) throw bad(place, `cannot be named so: ${namePattern.source}`, path);
    if (!isRecord(content)) throw bad(place, "is not { bootstrap, ... }", path);
    const flags = Object.fromEntries(reachedBy.map((own) => [own, environment[variableOf(`${place}.${own}`)]]));
    const { values } = resolveSettings(list, { file: { path: `${path}, ${place}`, content }, flags });
    if (values["bootstrap"] === "") throw bad(`${place}.bootstrap`, "is missing", path);
    const own = Object.entries(values).map(([setting, value]) => [`kafka.${setting}`, value]);
    clusters.set(name, { ...settings, ...(Object.fromEntries(own) as Partial<ClusterSettings>) });
  }
  return clusters;
}

/** Topics are on clusters that there are. @throws RdgError invalid, `bad_setting` */
export function checkPlaces(
  topics: ReadonlyMap<string, { readonly cluster?: string }>,
  clusters: NamedClusters,
  path: string,
): void {
  for (const [topic, { cluster }] of topics) {
    if (cluster === undefined || clusters.has(cluster)) continue;
    const hint = didYouMean(cluster, [...clusters.keys()]);
    throw bad(`topics["${topic}"].cluster`, `is "${cluster}", which is no cluster of the settings`, path, hint);
  }
}

/** How each is reached. @throws RdgError invalid, `bad_setting` */
export async function kafkaClustersOf({
  clusters = new Map(),
}: ClusterSettings): Promise<ReadonlyMap<string, KafkaConnection>> {
  const connections = [...clusters].map(async ([name, own]) => [name, await kafkaConnectionOf(own)] as const);
  return new Map(await Promise.all(connections));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function bad(setting: string, what: string, path: string, hint?: string): RdgError {
  return new RdgError("invalid", "bad_setting", `Setting ${setting} ${what}.`, { place: path, hint });
}
