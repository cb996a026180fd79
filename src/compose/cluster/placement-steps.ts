// What a deployment does to where types are. A type that is deployed goes only to a store that is empty: it is built there from the log.
import type { LogReader } from "../../log/port.ts";
import type { EdgeModel, GraphModel, NodeModel } from "../../model/definition.ts";
import { mainStore, storeOf } from "../../store/placed/placement.ts";
import { typeTopicsOf } from "../topics.ts";

interface PlacementStep {
  readonly kind: "placement";
  readonly name: string;
  readonly action: "create" | "change";
  readonly what: string;
  readonly risk: "safe" | "impossible";
  readonly why?: string;
}

interface Stores {
  readonly log: LogReader;
  readonly tables?: { applied(model: GraphModel, store: string): Promise<number> };
}

export async function placementSteps(
  target: GraphModel,
  deployed: GraphModel | undefined,
  stores: Stores,
): Promise<readonly PlacementStep[]> {
  const before = new Map(
    deployed === undefined ? [] : typesOf(deployed).map(([topic, type]) => [topic, storeOf(type)]),
  );
  const used = new Set(before.values());
  const steps: PlacementStep[] = [];
  for (const [name, type] of typesOf(target)) {
    const [was, store] = [before.get(name), storeOf(type)];
    if (was === store || (was === undefined && store === mainStore)) continue;
    const step = { kind: "placement", name } as const;
    if (was === undefined) {
      steps.push({ ...step, action: "create", what: `on store ${store}`, risk: "safe" });
      continue;
    }
    const why = used.has(store)
      ? `Store ${store} has applied transactions already: what they say of ${type.name} would never come to it.`
      : await whyNotBuilt(target, store, stores);
    const what = `store ${was} -> ${store}`;
    if (why !== undefined) steps.push({ ...step, action: "change", what, risk: "impossible", why });
    else steps.push({ ...step, action: "change", what, risk: "safe", why: "It is built there from the log." });
  }
  return steps;
}

async function whyNotBuilt(target: GraphModel, store: string, { log, tables }: Stores): Promise<string | undefined> {
  const [bounds] = await log.bounds(typeTopicsOf(target)[0]!);
  if (bounds!.first > 0)
    return `The log begins at transaction ${bounds!.first}: what was before cannot be applied to it.`;
  const applied = (await tables?.applied(target, store)) ?? -1;
  if (applied < 0) return undefined;
  return `Its keyspace has applied the transactions up to ${applied} for something else: name an empty one.`;
}

function typesOf({ nodes, edges }: GraphModel): (readonly [string, NodeModel | EdgeModel])[] {
  return [
    ...nodes.map((type) => [`nodes.${type.name}`, type] as const),
    ...edges.map((type) => [`edges.${type.name}`, type] as const),
  ];
}
