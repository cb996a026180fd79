// What a cluster's topics are now, as its brokers tell it: other programs may have changed or deleted them. And how to put a retention right.
import {
  ConfigResourceTypes,
  describeConfigsV4,
  incrementalAlterConfigsV1,
  IncrementalAlterConfigOperationTypes,
} from "@platformatic/kafka";
import type { Clock, Timers } from "../../core/clock.ts";
import { systemRandom } from "../../core/random.ts";
import type { TopicSettings } from "../port.ts";
import { KafkaCluster } from "./cluster.ts";
import { errorNames } from "./failures.ts";
import { kafkaLogDefaults, type KafkaConnection, type KafkaLogSettings } from "./settings.ts";

export interface FoundTopic extends Pick<TopicSettings, "name" | "partitions" | "retention"> {
  readonly compacted: boolean;
  /** Who asks may not know the settings: `retention` and `compacted` say nothing. */
  readonly settingsHidden?: true;
}

export interface InspectOptions {
  readonly connection: KafkaConnection;
  readonly clusters?: ReadonlyMap<string, KafkaConnection> | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly settings: Partial<KafkaLogSettings>;
}

export interface TopicInspector {
  /** Those that are on other clusters are looked for there from now on. @throws RdgError invalid, `unknown_cluster` */
  place(topics: readonly TopicSettings[]): void;
  /** Those of the topics that the brokers have, by RDG's name. */
  find(names: readonly string[]): Promise<ReadonlyMap<string, FoundTopic>>;
  /** The same of topics that others own, by the names that they have. */
  findForeign(names: readonly string[]): Promise<ReadonlyMap<string, FoundTopic>>;
  setRetention(topic: Pick<TopicSettings, "name" | "form" | "retention">): Promise<void>;
  close(): void;
}

/** Older versions of a key are never compacted away. */
const neverMs = 2 ** 63;

export function inspectTopics(options: InspectOptions): TopicInspector {
  const settings = { ...kafkaLogDefaults, ...options.settings };
  const cluster = new KafkaCluster({ ...options, settings, random: systemRandom });
  const kafkaName = (name: string): string => `${settings.prefix}${name}`;
  const find = async (
    names: readonly string[],
    placeOf: (name: string) => string,
  ): Promise<ReadonlyMap<string, FoundTopic>> => {
    const leaders = await cluster.retrying("look for topics", settings.prefix, () =>
      cluster.leaders(names.map(placeOf)),
    );
    const there = names.filter((name) => leaders.has(placeOf(name)));
    if (there.length === 0) return new Map();
    const configs = await describe(cluster, there.map(placeOf));
    return new Map(
      there.map((name) => {
        const partitions = leaders.get(placeOf(name))!.length;
        return [name, { name, partitions, ...meaningOf(configs.get(placeOf(name))!) }];
      }),
    );
  };
  const withoutSettings = async (error: unknown, name: string): Promise<ReadonlyMap<string, FoundTopic>> => {
    if (!errorNames(error).includes("TOPIC_AUTHORIZATION_FAILED")) throw error;
    const leaders = await cluster.retrying("look for topics", name, () => cluster.leaders([name]));
    const partitions = leaders.get(name)?.length;
    if (partitions === undefined) return new Map();
    return new Map([[name, { name, partitions, retention: {}, compacted: false, settingsHidden: true }]]);
  };
  return {
    place(topics) {
      for (const { name, foreign, cluster: place } of topics) {
        cluster.named(place);
        if (place !== undefined) cluster.place(foreign ?? kafkaName(name), place);
      }
    },
    find: (names) => find(names, kafkaName),
    async findForeign(names) {
      // One by one: who may read a topic may often not read its settings.
      const found = await Promise.all(
        names.map((name) => find([name], (each) => each).catch((error: unknown) => withoutSettings(error, name))),
      );
      return new Map(found.flatMap((each) => [...each]));
    },
    async setRetention({ name, form, retention }) {
      const { timeMs = form === "compacted" ? neverMs : -1, sizeBytes = -1 } = retention;
      const values: readonly (readonly [string, number])[] =
        form === "compacted"
          ? [["min.compaction.lag.ms", timeMs]]
          : [
              ["retention.ms", timeMs],
              ["retention.bytes", sizeBytes],
            ];
      const configs = values.map(([key, value]) => ({
        name: key,
        configOperation: IncrementalAlterConfigOperationTypes.SET,
        value: value === neverMs ? "9223372036854775807" : String(value),
      }));
      const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: kafkaName(name), configs };
      await cluster.retrying("change the retention of a topic", kafkaName(name), async () =>
        incrementalAlterConfigsV1.api.async(await cluster.of(kafkaName(name)).controller(), [resource], false),
      );
    },
    close: () => cluster.close(),
  };
}

type Configs = ReadonlyMap<string, string | null>;

async function describe(cluster: KafkaCluster, names: readonly string[]): Promise<ReadonlyMap<string, Configs>> {
  const keys = ["cleanup.policy", "retention.ms", "retention.bytes", "min.compaction.lag.ms"];
  const perCluster = [...Map.groupBy(names, (name) => cluster.of(name))].map(async ([place, mine]) => {
    const resources = mine.map((resourceName) => ({
      resourceType: ConfigResourceTypes.TOPIC,
      resourceName,
      configurationKeys: keys,
    }));
    return await cluster.retrying("ask for the settings of topics", mine[0]!, async () =>
      describeConfigsV4.api.async(await place.controller(), resources),
    );
  });
  const results = (await Promise.all(perCluster)).flatMap((answer) => answer.results);
  return new Map(
    results.map(({ resourceName, configs }) => [
      resourceName,
      new Map(configs.map(({ name, value }) => [name, value ?? null])),
    ]),
  );
}

function meaningOf(configs: Configs): Pick<FoundTopic, "compacted" | "retention"> {
  const number = (name: string): number => Number(configs.get(name) ?? -1);
  if (configs.get("cleanup.policy") === "compact") {
    const timeMs = number("min.compaction.lag.ms");
    return { compacted: true, retention: timeMs >= neverMs ? {} : { timeMs } };
  }
  const [timeMs, sizeBytes] = [number("retention.ms"), number("retention.bytes")];
  return { compacted: false, retention: { ...(timeMs >= 0 && { timeMs }), ...(sizeBytes >= 0 && { sizeBytes }) } };
}
