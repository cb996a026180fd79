// The canonical export: header, lines in canonical order, end. Equal graphs of one definition give equal bytes.
import { createHash } from "node:crypto";
import { endLine } from "./end-line.ts";
import { pieces } from "./pieces.ts";
import type { ExportHeader } from "./port.ts";
import type { SortedExport } from "./sort-export.ts";

/** @param withOrigin tells positions and time in the header: these differ between engines that hold the same graph */
export function* canonicalFile(sorted: SortedExport, withOrigin: boolean): Generator<Uint8Array> {
  const { kind, format, version, graph, fingerprint, inputs = [] } = sorted.header;
  const header: ExportHeader = {
    kind,
    format,
    version,
    graph,
    fingerprint,
    order: "canonical",
    ...(withOrigin ? { inputs, asOf: sorted.asOf } : {}),
  };
  const sha256 = createHash("sha256");
  const counts = { node: new Map<string, number>(), edge: new Map<string, number>() };
  function* lines(): Generator<string> {
    yield `${JSON.stringify(header)}\n`;
    for (const line of sorted.lines) {
      count(counts, line);
      yield `${line}\n`;
    }
  }
  for (const piece of pieces(lines())) {
    sha256.update(piece);
    yield piece;
  }
  const [nodes, edges] = [Object.fromEntries(counts.node), Object.fromEntries(counts.edge)];
  yield endLine({ kind: "end", nodes, edges }, sha256);
}

const start = /^\{"kind":"(?<kind>node|edge)","type":"(?<type>\w+)"/;

/** Types come in order. */
function count(counts: Readonly<Record<"node" | "edge", Map<string, number>>>, line: string): void {
  const { kind, type } = start.exec(line)!.groups as { kind: "node" | "edge"; type: string };
  counts[kind].set(type, (counts[kind].get(type) ?? 0) + 1);
}
