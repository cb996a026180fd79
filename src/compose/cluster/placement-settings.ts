// What the settings say of stores beside the main one, and of the types that are on them.
import { didYouMean } from "../../core/did-you-mean.ts";
import { RdgError } from "../../core/errors.ts";
import { resolveSettings, type SettingList, variableOf } from "../../core/settings.ts";
import type { Graph } from "../../index.ts";
import type { EdgeModel, NodeModel } from "../../model/definition.ts";
import { mainStore, storeOf } from "../../store/placed/placement.ts";
import { type ClusterSettings, clusterSettings, isShared } from "./settings.ts";

/** Stores by name, each with the settings of the process as they are for it. */
type NamedStores = NonNullable<ClusterSettings["stores"]>;
/** Names of stores by type topic, such as `edges.watched`. */
export type Placement = ReadonlyMap<string, string>;

const namePattern = /^[a-z][a-z0-9_-]{0,31}$/;
const ofCassandra = "cassandra.";

/** What a store may say of its own: everything under `cassandra`, which the main one's is the default of. */
function ownSettings(settings: ClusterSettings): SettingList {
  const own = Object.entries(clusterSettings).filter(([name]) => name.startsWith(ofCassandra));
  const withDefaults = own.map(([name, setting]) => [
    name.slice(ofCassandra.length),
    { ...setting, default: settings[name as keyof typeof clusterSettings] },
  ]);
  return {
    kind: { ...clusterSettings["store.kind"], default: "cassandra" },
    ...(Object.fromEntries(withDefaults) as SettingList),
  };
}

/**
 * @param path of the settings file, for errors
 * @throws RdgError invalid, `bad_setting`, `unknown_setting`
 */
export function readStores(
  written: unknown,
  settings: ClusterSettings,
  environment: Readonly<Record<string, string | undefined>>,
  path: string,
): NamedStores {
  if (written === undefined) return new Map();
  if (!isRecord(written)) throw bad("stores", "are not stores by name", path);
  const list = ownSettings(settings);
  const stores = new Map<string, ClusterSettings>();
  for (const [name, content] of Object.entries(written)) {
    const place = `stores.${name}`;
    if (name === mainStore || !namePattern.test(name)) {
      throw bad(place, `cannot be named so: ${namePattern.source}, and not "${mainStore}"`, path);
    }
    if (!isRecord(content)) throw bad(place, "is not { kind, keyspace, ... }", path);
    const ofStore = Object.fromEntries(
      Object.keys(list).map((own) => [own, environment[variableOf(`${place}.${own}`)]]),
    );
    const { values } = resolveSettings(list, { file: { path: `${path}, ${place}`, content }, flags: ofStore });
    const { kind, ...cassandra } = values;
    const own = Object.entries(cassandra).map(([setting, value]) => [ofCassandra + setting, value]);
    stores.set(name, { ...settings, ...Object.fromEntries(own), "store.kind": String(kind) });
  }
  checkApart(new Map([[mainStore, settings], ...stores]), path);
  return stores;
}

/** Positions of one store would be taken for those of the other, and the updates that they stand for never come. */
function checkApart(stores: NamedStores, path: string): void {
  const places = new Map<string, string>();
  for (const [name, settings] of stores) {
    const { "cassandra.contacts": contacts, "cassandra.keyspace": keyspace } = settings;
    const isOnCassandra = isShared(settings);
    const place = isOnCassandra ? JSON.stringify([contacts, keyspace]) : "embedded";
    const other = places.get(place);
    if (other !== undefined) {
      const both = isOnCassandra ? `keyspace "${keyspace}"` : "the embedded store";
      throw bad(`stores.${name}`, `is ${both}, as the store "${other}" is: each has positions of its own`, path);
    }
    places.set(place, name);
  }
}

/** @throws RdgError invalid, `bad_setting` */
export function readPlacement(written: unknown, stores: NamedStores, path: string): Placement {
  if (written === undefined) return new Map();
  if (!isRecord(written)) throw bad("placement", "is not stores by type", path);
  const names = [mainStore, ...stores.keys()];
  return new Map(
    Object.entries(written).map(([type, store]) => {
      if (typeof store === "string" && names.includes(store)) return [type, store];
      const hint = typeof store === "string" ? didYouMean(store, names) : undefined;
      throw bad(`placement["${type}"]`, `is ${JSON.stringify(store)}, which is no store of the settings`, path, hint);
    }),
  );
}

/** The definition as it is deployed with it. @throws RdgError invalid, `unknown_type` */
export function withPlacement(graph: Graph, placement: Placement): Graph {
  const { model } = graph;
  const names = [...model.nodes.map(({ name }) => `nodes.${name}`), ...model.edges.map(({ name }) => `edges.${name}`)];
  const unknown = [...placement.keys()].find((type) => !names.includes(type));
  if (unknown !== undefined) {
    const message = `The settings place "${unknown}", which the definition does not have.`;
    throw new RdgError("invalid", "unknown_type", message, {
      place: "placement",
      hint: didYouMean(unknown, names, 40),
    });
  }
  const placed =
    (kind: "nodes" | "edges") =>
    <T extends NodeModel | EdgeModel>(type: T): T =>
      onStore(type, placement.get(`${kind}.${type.name}`));
  return {
    ...graph,
    model: { ...model, nodes: model.nodes.map(placed("nodes")), edges: model.edges.map(placed("edges")) },
  };
}

/** The type on this store; without one, on the main store. */
export function onStore<T extends NodeModel | EdgeModel>(type: T, store: string | undefined): T {
  if ((store ?? mainStore) === storeOf(type)) return type;
  const { store: _, ...rest } = type;
  return (store === undefined || store === mainStore ? rest : { ...rest, store }) as T;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function bad(setting: string, what: string, path: string, hint?: string): RdgError {
  return new RdgError("invalid", "bad_setting", `Setting ${setting} ${what}.`, { place: path, hint });
}
