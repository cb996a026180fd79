// The stores of a graph in a cluster: one where nothing is placed, else one for each place; each is fed and waited for by itself.
import { RdgError } from "../../core/errors.ts";
import type { Log } from "../../log/port.ts";
import type { GraphModel } from "../../model/definition.ts";
import { mainStore, partsOf, type StorePart, storeOf } from "../../store/placed/placement.ts";
import { placedStore } from "../../store/placed/store.ts";
import type { SharedTables } from "./deployment-plan.ts";
import { openReplica, type ReplicaOptions } from "./replica.ts";
import type { ServedGraph } from "./served-graph.ts";
import { type ClusterSettings, isShared } from "./settings.ts";
import { openSharedGraph, sharedTables, type SharedStoreOptions } from "./shared-store.ts";
import { openStoreWriter, type StoreWriter } from "./store-writer.ts";

interface PlaceOfTypes {
  readonly name: string;
  readonly isShared: boolean;
  /** What the store is opened with. `part` is missing where one store has everything. */
  readonly own: { readonly model: GraphModel; readonly settings: ClusterSettings; readonly part?: StorePart };
}

/** @throws RdgError invalid, `bad_setting`, where the settings lack a store that the definition is deployed to */
export function placesOf(model: GraphModel, settings: ClusterSettings): readonly PlaceOfTypes[] {
  const parts = partsOf(model);
  return parts.map((part) => {
    const { name } = part;
    const its = name === mainStore ? settings : settings.stores?.get(name);
    if (its === undefined) throw unknownStore(model, name);
    const own =
      parts.length === 1 && name === mainStore ? { model, settings: its } : { model: part.model, settings: its, part };
    return { name, isShared: isShared(its), own };
  });
}

/** The graph as a serving process has it: replicas and shared stores under one roof. */
export async function openServedGraph(options: ReplicaOptions): Promise<ServedGraph> {
  const { model, settings } = options;
  const places = placesOf(model, settings);
  const opened: ServedGraph[] = [];
  try {
    for (const { own, isShared: shared } of places) {
      opened.push(await (shared ? openSharedGraph : openReplica)({ ...options, ...own }));
    }
  } catch (error) {
    await Promise.allSettled(opened.map((each) => each.close()));
    throw error;
  }
  const { still: _, ...first } = opened[0]!;
  if (places.length === 1) return opened[0]!;
  const parts = places.map(({ own }, i) => ({ part: own.part!, store: opened[i]!.store }));
  const local = opened.filter(({ store }) => store.capabilities.local === true);
  return {
    ...first,
    store: placedStore(model, parts),
    async waitFor(positions, timeoutMs, signal) {
      const reached = await Promise.all(opened.map((each) => each.waitFor(positions, timeoutMs, signal)));
      return reached.every(Boolean);
    },
    waiters: () => Math.max(...opened.map((each) => each.waiters())),
    appliedOffset: async () => Math.min(...(await Promise.all(opened.map((each) => each.appliedOffset())))),
    ...(local.length > 0 && { statistics: () => local[0]!.store.statistics() }),
    blocked: () => opened.map((each) => each.blocked()).find((cause) => cause !== undefined),
    async start() {
      await Promise.all(opened.map((each) => each.start()));
    },
    async close() {
      const closed = await Promise.allSettled(opened.map((each) => each.close()));
      for (const result of closed) if (result.status === "rejected") throw result.reason;
    },
  };
}

/** Writers of all stores that processes share; undefined where none is. */
export async function openStoreWriters(
  options: SharedStoreOptions & { readonly log: Log },
): Promise<StoreWriter | undefined> {
  const shared = placesOf(options.model, options.settings).filter((place) => place.isShared);
  const opened: StoreWriter[] = [];
  try {
    for (const { own } of shared) opened.push(await openStoreWriter({ ...options, ...own }));
  } catch (error) {
    await Promise.allSettled(opened.map((each) => each.close()));
    throw error;
  }
  if (opened.length <= 1) return opened[0];
  return {
    ...opened[0]!,
    async start() {
      await Promise.all(opened.map((each) => each.start()));
    },
    async close() {
      const closed = await Promise.allSettled(opened.map((each) => each.close()));
      for (const result of closed) if (result.status === "rejected") throw result.reason;
    },
  };
}

/** The tables of all stores that processes share, for deployments. */
export function placedTables(options: Omit<SharedStoreOptions, "model">): SharedTables {
  const shared = (model: GraphModel) =>
    placesOf(model, options.settings).flatMap(({ name, own }) => {
      const tables = sharedTables({ ...options, settings: own.settings });
      return tables === undefined ? [] : [{ name, model: own.model, tables }];
    });
  return {
    async missing(model) {
      const found = await Promise.all(
        shared(model).map(async ({ name, model: own, tables }) => {
          const missing = await tables.missing(own);
          return name === mainStore ? missing : missing.map((what) => `${what} of store ${name}`);
        }),
      );
      return found.flat();
    },
    async make(model) {
      for (const { model: own, tables } of shared(model)) await tables.make(own);
    },
    async applied(model, store) {
      const found = shared(model).find(({ name }) => name === store);
      return found === undefined ? -1 : await found.tables.applied(found.model, store);
    },
  };
}

function unknownStore({ nodes, edges }: GraphModel, name: string): RdgError {
  const types = [...nodes, ...edges].filter((type) => storeOf(type) === name).map((type) => type.name);
  const message = `${types.join(", ")} ${types.length === 1 ? "is" : "are"} on the store "${name}", which the settings do not have.`;
  return new RdgError("invalid", "bad_setting", message, {
    place: `stores.${name}`,
    hint: "Give every process the settings file that was deployed with.",
  });
}
