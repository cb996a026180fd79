// Keeps the indexes by which stored batches and pages name types and properties: a changed definition is put in the order of the one that the data was written for.
import { RdgError } from "../core/errors.ts";
import type { EdgeModel, GraphModel, NodeModel, PropertyModel } from "./definition.ts";

/**
 * The new definition with every type and property of the stored one at its old index: what is new comes behind, what is gone stays (its data remains readable).
 * @throws RdgError conflict, `definition_changed`, when a stored property or edge would have to mean something else
 */
export function alignModel(stored: GraphModel, model: GraphModel): GraphModel {
  return {
    ...model,
    nodes: alignTypes(stored.nodes, model.nodes, (before, after) => alignProperties("node", before, after)),
    edges: alignTypes(stored.edges, model.edges, (before, after) => {
      if (before.from !== after.from || before.to !== after.to) {
        const now = `(${after.from})->(${after.to})`;
        throw changed(`edge ${after.name}`, `led (${before.from})->(${before.to}) and now leads ${now}`);
      }
      return alignProperties("edge", before, after);
    }),
  };
}

function alignTypes<T extends NodeModel | EdgeModel>(
  stored: readonly T[],
  types: readonly T[],
  align: (before: T, after: T) => T,
): readonly T[] {
  const known = new Set(stored.map(({ name }) => name));
  const kept = stored.map((before) => {
    const after = types.find(({ name }) => name === before.name);
    return after === undefined ? before : align(before, after);
  });
  return [...kept, ...types.filter(({ name }) => !known.has(name))];
}

function alignProperties<T extends NodeModel | EdgeModel>(kind: string, before: T, after: T): T {
  const known = new Set(before.properties.map(({ name }) => name));
  const kept = before.properties.map((property) => {
    const now = after.properties.find(({ name }) => name === property.name);
    if (now === undefined) return property;
    if (meaningOf(now) !== meaningOf(property)) {
      throw changed(
        `${kind} ${after.name}.${property.name}`,
        `was ${meaningOf(property)} and is now ${meaningOf(now)}`,
      );
    }
    return now;
  });
  return { ...after, properties: [...kept, ...after.properties.filter(({ name }) => !known.has(name))] };
}

/** What stored values of the property depend on. */
function meaningOf({ type, merge, unionMax }: PropertyModel): string {
  return JSON.stringify([merge, type, ...(unionMax === undefined ? [] : [unionMax])]);
}

function changed(place: string, what: string): RdgError {
  return new RdgError(
    "conflict",
    "definition_changed",
    `The data folder was written for another definition: ${place} ${what}.`,
    {
      place,
      hint: "Give the changed property or edge another name, or take another data folder and send the events again.",
    },
  );
}
