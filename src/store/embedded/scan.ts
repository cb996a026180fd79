// Every visible element, type by type in the order of rows, for comparison and export.
import type { Clock } from "../../core/clock.ts";
import type { Turns } from "../../core/turns.ts";
import type { ScannedElement } from "../port.ts";
import { fromAt, toAt } from "./edge-type.ts";
import type { Graph } from "./graph.ts";
import { Pacer } from "./pacer.ts";
import { elementRow } from "./reader.ts";

export async function* scanGraph(
  graph: Graph,
  clock: Clock,
  turns: Turns,
  signal: AbortSignal | undefined,
): AsyncIterable<ScannedElement> {
  const pacer = new Pacer(clock, turns);
  for (const type of graph.nodes) {
    const select = [...type.properties.keys()];
    for (let row = 0; row < type.rows.count; row++) {
      signal?.throwIfAborted();
      if (pacer.isDue) await pacer.pause();
      if (type.isGone(row) || !type.isVisible(row, clock.now())) continue;
      yield { kind: "node", type: type.index, id: type.id(row), ...elementRow(type, row, select) };
    }
  }
  for (const type of graph.edges) {
    const select = [...type.properties.keys()];
    for (let row = 0; row < type.rows.count; row++) {
      signal?.throwIfAborted();
      if (pacer.isDue) await pacer.pause();
      if (type.rows.isFree(row) || !type.isSeen(row, clock.now())) continue;
      const from = type.from.id(type.rows.word(row, fromAt));
      const to = type.to.id(type.rows.word(row, toAt));
      yield { kind: "edge", type: type.index, from, to, ...elementRow(type, row, select) };
    }
  }
}
