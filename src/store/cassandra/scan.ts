// Every visible element of the graph, for comparison and export.
import type { ScannedElement } from "../port.ts";
import { isVisible, propertyOf } from "./element-state.ts";
import type { EdgeLayout, PropertyCells } from "./layout.ts";
import type { ReaderParts } from "./reader.ts";
import { elementsOf, type ScannedRow } from "./table-scan.ts";

export async function* scanGraph(parts: ReaderParts, signal: AbortSignal): AsyncGenerator<ScannedElement> {
  const { rows, clock } = parts;
  for (const node of rows.layout.nodes) {
    const life = rows.lifeOf(node);
    for await (const page of elementsOf(rows, node.table, ["id"], node.properties, life, signal)) {
      for (const scanned of page) {
        if (!isVisible(scanned.state, life, clock.now())) continue;
        yield { kind: "node", type: node.type, id: scanned.key[0]!, ...shown(scanned, node.properties) };
      }
    }
  }
  for (const edge of rows.layout.edges) {
    const life = rows.lifeOf(edge);
    for await (const page of elementsOf(rows, edge.forward, ["rec", "nb"], edge.properties, life, signal)) {
      const seen = page.filter(({ state }) => isVisible(state, life, clock.now()));
      for (const scanned of await unhidden(parts, edge, seen, signal)) {
        const [from, to] = scanned.key as [string, string];
        yield { kind: "edge", type: edge.type, from, to, ...shown(scanned, edge.properties) };
      }
    }
  }
}

/** Without those that the removal of an end hides. */
async function unhidden(
  { rows, removals }: ReaderParts,
  edge: EdgeLayout,
  page: readonly ScannedRow[],
  signal: AbortSignal,
): Promise<readonly ScannedRow[]> {
  let left = page;
  const ends = [
    [edge.from, 0],
    [edge.to, 1],
  ] as const;
  const removed = await removals.among([edge.from, edge.to], signal);
  for (const [type, place] of ends) {
    if (!removed.has(type)) continue;
    const times = await rows.nodeRemovals(
      type,
      left.map(({ key }) => key[place]!),
      signal,
    );
    left = left.filter(({ key, state }) => state.lastSeenMs > (times.get(key[place]!) ?? -Infinity));
  }
  return left;
}

function shown({ state }: ScannedRow, properties: readonly PropertyCells[]) {
  const { firstSeenMs, lastSeenMs } = state;
  return { firstSeenMs, lastSeenMs, properties: properties.map((property) => propertyOf(property, state)) };
}
