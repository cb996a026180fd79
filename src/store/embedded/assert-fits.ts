// Checks a decoded batch against the definition before anything is changed: what contradicts it is damage, or was written for another definition.
import { RdgError } from "../../core/errors.ts";
import type { GraphModel, PropertyModel } from "../../model/definition.ts";
import {
  type BytesColumn,
  type EdgeColumns,
  type NodeColumns,
  type PropertyColumn,
  propertyFormOf,
  type UpdateBatch,
} from "../../model/update/batch.ts";

/** docs/SEMANTICS.md, section 6. */
const idBytesMax = 1024;

/** @throws RdgError corrupt, `batch_contradicts_model` */
export function assertFits(model: GraphModel, batch: UpdateBatch, place: string): void {
  const fail = (what: string): never => {
    throw new RdgError("corrupt", "batch_contradicts_model", `A batch of updates ${what}.`, {
      place,
      hint: "The journal was written for another definition, or is damaged. Check that the data folder belongs to this graph.",
    });
  };
  const nodes: (NodeColumns | undefined)[] = model.nodes.map(() => undefined);
  for (const columns of batch.nodes) {
    const type = model.nodes[columns.type];
    if (type === undefined)
      return fail(`has a node type ${columns.type}, and the definition has ${model.nodes.length}`);
    if (nodes[columns.type] !== undefined) fail(`has node type "${type.name}" twice`);
    nodes[columns.type] = columns;
    checkElements(type.name, type.properties, columns, fail);
    if (!areIds(columns.ids, columns.count))
      fail(`has ids of "${type.name}" that do not cover its rows, or are too long`);
  }
  for (const columns of batch.edges) {
    const type = model.edges[columns.type];
    if (type === undefined)
      return fail(`has an edge type ${columns.type}, and the definition has ${model.edges.length}`);
    checkElements(type.name, type.properties, columns, fail);
    const countOf = (name: string): number => nodes[model.nodes.findIndex((node) => node.name === name)]?.count ?? 0;
    if (
      !areBelow(columns.from, columns.count, countOf(type.from)) ||
      !areBelow(columns.to, columns.count, countOf(type.to))
    ) {
      fail(`has edges of "${type.name}" between nodes that it does not name`);
    }
  }
}

function checkElements(
  name: string,
  properties: readonly PropertyModel[],
  columns: NodeColumns | EdgeColumns,
  fail: (what: string) => never,
): void {
  const { count, lastSeenMs, firstSeenMs, removedAtMs } = columns;
  if (
    lastSeenMs.length < count ||
    firstSeenMs.length < count ||
    (removedAtMs !== undefined && removedAtMs.length < count)
  ) {
    fail(`has times of "${name}" for fewer rows than it has`);
  }
  if (columns.properties.length > properties.length) fail(`has more properties of "${name}" than are declared`);
  for (const [i, column] of columns.properties.entries()) {
    if (column === undefined) continue;
    if (column.form !== propertyFormOf(properties[i]!))
      fail(`has property "${properties[i]!.name}" of "${name}" in another form`);
    if (!covers(column, count)) fail(`has property "${properties[i]!.name}" of "${name}" for other rows than it has`);
  }
}

function covers(column: PropertyColumn, count: number): boolean {
  if (column.form === "set") {
    return (
      column.starts.length > count &&
      isDense(column.items, column.starts[count]!) &&
      (column.cut?.length ?? count) >= count
    );
  }
  if (column.states !== undefined && column.states.length < count) return false;
  if (column.form !== "counter" && column.timesMs !== undefined && column.timesMs.length < count) return false;
  if (column.form === "bytes") return isDense(column.values, count);
  if (column.form !== "number" && column.exact !== undefined && column.exact.length < count) return false;
  return column.values.length >= count;
}

function areIds(ids: BytesColumn, count: number): boolean {
  if (!isDense(ids, count)) return false;
  for (let i = 0; i < count; i++) {
    const length = ids.starts[i + 1]! - ids.starts[i]!;
    if (length === 0 || length > idBytesMax) return false;
  }
  return true;
}

function isDense({ bytes, starts }: BytesColumn, count: number): boolean {
  if (starts.length <= count) return false;
  for (let i = 0; i < count; i++) if (starts[i]! > starts[i + 1]!) return false;
  return starts[count]! <= bytes.length;
}

function areBelow(indexes: Uint32Array, count: number, bound: number): boolean {
  if (indexes.length < count) return false;
  for (let i = 0; i < count; i++) if (indexes[i]! >= bound) return false;
  return true;
}
