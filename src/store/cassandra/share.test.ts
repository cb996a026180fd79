// A graph in parts: every update is in exactly one part, and the parts together say what the batch says.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { conformanceGraph, frameOf, upsertEdge, upsertNode, remove, baseMs } from "../conformance-graph.ts";
import { layoutOf } from "./layout.ts";
import { ownRows, partOfId } from "./share.ts";

const layout = layoutOf(conformanceGraph, "k");

test("parts go by the bytes of ids, the same for ever", () => {
  const partOf = (id: string, of: number): number => {
    const bytes = Buffer.from(id);
    return partOfId(bytes, 0, bytes.length, of);
  };
  expect(["", "a", "p1", "account-17", "ä"].map((id) => partOf(id, 8))).toEqual([5, 4, 2, 3, 2]);
  const counts = new Array<number>(8).fill(0);
  for (let i = 0; i < 8_000; i++) counts[partOf(`account-${i}`, 8)]!++;
  expect(Math.min(...counts)).toBeGreaterThan(800);
});

test("each row that says something does so in one part alone", () => {
  const id = fc.constantFrom("a", "b", "c", "d", "ä", "");
  const update = fc.oneof(
    id.map((person) => upsertNode("person", `n${person}`, baseMs, { visits: 1 })),
    fc.tuple(id, id).map(([from, to]) => upsertEdge("knows", `n${from}`, `n${to}`, baseMs, { times: 1 })),
    id.map((person) => remove({ kind: "node", type: "person", id: `n${person}` }, baseMs + 1)),
    fc
      .tuple(id, id)
      .map(([from, to]) => remove({ kind: "edge", type: "knows", from: `n${from}`, to: `n${to}` }, baseMs)),
  );
  fc.assert(
    fc.property(fc.array(update, { minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 5 }), (updates, of) => {
      const batch = frameOf(0, updates).updates()!;
      const parts = Array.from({ length: of }, (_, part) => ownRows(batch, { parts: [part], of }, layout));
      for (const kind of ["nodes", "edges"] as const) {
        for (const [i, columns] of batch[kind].entries()) {
          for (let row = 0; row < columns.count; row++) {
            const said = parts.map((part) => part[kind][i]!);
            const seen = said.map(({ lastSeenMs }) => lastSeenMs[row]!).filter((timeMs) => timeMs > -Infinity);
            const removed = said
              .map(({ removedAtMs }) => removedAtMs?.[row] ?? -Infinity)
              .filter((timeMs) => timeMs > -Infinity);
            expect(seen).toEqual(columns.lastSeenMs[row]! > -Infinity ? [columns.lastSeenMs[row]] : []);
            expect(removed).toEqual(
              (columns.removedAtMs?.[row] ?? -Infinity) > -Infinity ? [columns.removedAtMs![row]] : [],
            );
          }
        }
      }
    }),
    { numRuns: 60 },
  );
});
