// Streams a store's visible elements as an export in order `scan`: as fast as the bytes are taken, holding one piece of them.
import { createHash } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import type { GraphModel } from "../model/definition.ts";
import { formatPosition } from "../model/position.ts";
import type { Store } from "../store/port.ts";
import { CanonicalLines } from "./canonical-line.ts";
import { endLine } from "./end-line.ts";
import { type ExportHeader, exportFormat, exportVersion } from "./port.ts";

export interface ScanExportOptions {
  /** As the store has it: aligned with its data. */
  readonly model: GraphModel;
  /** Of the definition as it was written. */
  readonly fingerprint: string;
  readonly store: Store;
  readonly clock: Clock;
}

const pieceChars = 64 * 1024;

export async function* scanExport(
  { model, fingerprint, store, clock }: ScanExportOptions,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { inputs } = await store.applied();
  const header: ExportHeader = {
    kind: "header",
    format: exportFormat,
    version: exportVersion,
    graph: model.name,
    fingerprint,
    order: "scan",
    inputs: inputs.map(formatPosition),
  };
  const sha256 = createHash("sha256");
  const piece = (text: string): Uint8Array => {
    const bytes = Buffer.from(text);
    sha256.update(bytes);
    return bytes;
  };
  const lines = new CanonicalLines(model);
  const nodes = model.nodes.map(() => 0);
  const edges = model.edges.map(() => 0);
  let text = `${JSON.stringify(header)}\n`;
  for await (const element of store.scan(signal)) {
    (element.kind === "node" ? nodes : edges)[element.type]!++;
    text += `${lines.line(element)}\n`;
    if (text.length < pieceChars) continue;
    yield piece(text);
    text = "";
  }
  if (text !== "") yield piece(text);
  const counts = { nodes: countsOf(model.nodes, nodes), edges: countsOf(model.edges, edges) };
  yield endLine({ kind: "end", ...counts, asOf: new Date(clock.now()).toISOString() }, sha256);
}

/** Of types that have any, by name: what a definition has no more is not told while nothing of it is left. */
function countsOf(types: readonly { readonly name: string }[], counts: readonly number[]): Record<string, number> {
  const entries = types.map(({ name }, i) => [name, counts[i]!] as const).filter(([, count]) => count > 0);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
