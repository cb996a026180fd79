// The settings file as its author types it: every setting with its type, and what is said per topic.
import type { Setting, SettingList } from "../../core/settings.ts";
import type { clusterSettings, ReachedBy } from "./settings.ts";

/** What `rdg.config.ts` exports. Sizes are bytes or texts such as "64MB", durations milliseconds or texts such as "5m". */
export type RdgConfig = Section<typeof clusterSettings> & {
  /** By topic, such as `events.playback`: instead of what the definition says. Taken when it is deployed. */
  readonly topics?: Readonly<Record<string, TopicConfig>>;
  /** Kafka clusters beside the main one, by name, for topics of events: reached as each says, and what it does not say as `kafka` has it. */
  readonly clusters?: Readonly<Record<string, KafkaClusterConfig>>;
  /** Stores beside the main one, by name: what they say of their own stands in place of what `cassandra` says. */
  readonly stores?: Readonly<Record<string, StoreConfig>>;
  /** By type, such as `edges.watched`: the name of the store that it is on; "main" without. Taken when it is deployed. */
  readonly placement?: Readonly<Record<string, string>>;
};

type KafkaClusterConfig = {
  readonly [N in ReachedBy]?: (typeof clusterSettings)[`kafka.${N}`] extends Setting<infer K> ? WrittenKinds[K] : never;
};

export type StoreConfig = {
  /** "cassandra" unless said. */
  readonly kind?: "cassandra" | "embedded";
} & { readonly [N in keyof OfCassandra]?: OfCassandra[N] extends Setting<infer K> ? WrittenKinds[K] : never };

type OfCassandra = Under<typeof clusterSettings, "cassandra">;

export interface TopicConfig {
  /**
   * Of type topics, such as `nodes.account`: their updates are records for everybody, `single` Avro updates by key or, for RDG's readers, `packed` ones. May
   * change later. Without it only RDG's own stores see them.
   */
  readonly form?: "single" | "packed";
  /** Of events: the name of the cluster, of `clusters`, that the topic is on; without, the one that all else is on. For good. */
  readonly cluster?: string;
  /** May grow by whole factors, never shrink. */
  readonly partitions?: number;
  /** "forever" lifts what the definition says. */
  readonly retention?: { readonly time?: string | number; readonly size?: string | number };
}

/** Gives a settings file its type: `export default defineConfig({ ... })`. */
export function defineConfig(config: RdgConfig): RdgConfig {
  return config;
}

interface WrittenKinds {
  text: string;
  integer: number | string;
  size: number | string;
  duration: number | string;
  boolean: boolean;
}

/** Settings by the parts of their names: `store.memory` is `{ store: { memory } }`, or `"store.memory"` as it is. */
type Section<L extends SettingList> = {
  readonly [N in keyof L]?: L[N] extends Setting<infer K> ? WrittenKinds[K] : never;
} & { readonly [H in HeadOf<keyof L>]?: Section<Under<L, H>> };

type HeadOf<N> = N extends `${infer H}.${string}` ? H : never;
type Under<L extends SettingList, H extends string> = {
  readonly [N in keyof L as N extends `${H}.${infer R}` ? R : never]: L[N];
};
