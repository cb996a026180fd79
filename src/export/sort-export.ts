// Brings an export in order `scan` into canonical order, as of one moment: whatever expired while the store was scanned is left out.
import { RdgError } from "../core/errors.ts";
import type { GraphModel } from "../model/definition.ts";
import { edgeKey, nodeKey } from "./canonical-line.ts";
import { ExternalSort } from "./external-sort.ts";
import type { ExportHeader } from "./port.ts";
import { readExport } from "./read-export.ts";

export interface SortOptions {
  readonly model: GraphModel;
  /** Where temporary files may be made. */
  readonly folder: string;
  /** What expires until then is left out. Not before the end of the scan; the end of the scan when missing. */
  readonly asOfMs?: number | undefined;
  /** Whether nodes that only edges mention come, too, for formats whose readers want each end of an edge to be there. */
  readonly withEnds?: boolean;
  readonly runBytesMax?: number;
  /** Told how many elements have come. */
  readonly onRead?: (elements: number) => void;
  readonly signal?: AbortSignal;
}

/** An element as a line says it. */
export type LineElement =
  | (LineContent & { readonly kind: "node"; readonly id: string })
  | (LineContent & { readonly kind: "edge"; readonly from: string; readonly to: string });

interface LineContent {
  readonly type: string;
  readonly firstSeen: string;
  readonly lastSeen: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** What stands in a line for a node that only edges mention. */
export interface MentionedNode {
  readonly kind: "mentioned";
  readonly type: string;
  readonly id: string;
}

export interface SortedExport {
  readonly header: ExportHeader;
  readonly asOf: string;
  /** In canonical order. To be taken once. */
  readonly lines: Iterable<string>;
  /** Removes all temporary files. */
  close(): void;
}

const mentionStart = `{"kind":"mentioned"`;

function isMention(line: string): boolean {
  return line.startsWith(mentionStart);
}

/** Resolves once everything was read and proven to be whole. @throws as `readExport`; invalid, `as_of_too_early`; unavailable, `temporary_file_failed` */
export async function sortExport(chunks: AsyncIterable<Uint8Array>, options: SortOptions): Promise<SortedExport> {
  const { model, folder, withEnds = false, runBytesMax, onRead, signal } = options;
  const sort = new ExternalSort({ folder, ...(runBytesMax === undefined ? {} : { runBytesMax }) });
  const adder = new Adder(model, sort, withEnds);
  let header: ExportHeader | undefined;
  let asOf = "";
  try {
    for await (const part of readExport(chunks)) {
      signal?.throwIfAborted();
      if (part.kind === "header") header = part.header;
      else if (part.kind === "end") asOf = part.end.asOf ?? "";
      else {
        for (const line of part.lines) adder.add(line);
        onRead?.(part.lines.length);
      }
    }
    const asOfMs = options.asOfMs ?? Date.parse(asOf);
    if (asOfMs < Date.parse(asOf)) throw tooEarly(asOfMs, asOf);
    const lines = latest(sort, asOfMs);
    return { header: header!, asOf: new Date(asOfMs).toISOString(), lines, close: () => sort.close() };
  } catch (error) {
    sort.close();
    throw error;
  }
}

function tooEarly(asOfMs: number, asOf: string): RdgError {
  const message = `The graph cannot be had as of ${new Date(asOfMs).toISOString()}: it was read until ${asOf}.`;
  return new RdgError("invalid", "as_of_too_early", message, {
    hint: "What had expired meanwhile is not there any more. Name a later moment, or none.",
  });
}

class Adder {
  readonly #sort: ExternalSort;
  readonly #withEnds: boolean;
  readonly #nodeTtls: ReadonlyMap<string, number>;
  readonly #edges: GraphModel["edges"];

  constructor(model: GraphModel, sort: ExternalSort, withEnds: boolean) {
    this.#sort = sort;
    this.#withEnds = withEnds;
    this.#nodeTtls = new Map(model.nodes.map(({ name, ttlMs = Infinity }) => [name, ttlMs]));
    this.#edges = model.edges;
  }

  add(line: string): void {
    const element = JSON.parse(line) as LineElement;
    const { type } = element;
    if (element.kind === "node") {
      const ttlMs = this.#nodeTtls.get(type);
      if (ttlMs === undefined) throw unknownType(type);
      this.#sort.add({ key: nodeKey(type, element.id), line, overAtMs: overAt(element, ttlMs) });
      return;
    }
    const { from, to } = element;
    const model = this.#edges.find(({ name }) => name === type);
    if (model === undefined) throw unknownType(type);
    const overAtMs = overAt(element, model.ttlMs ?? Infinity);
    this.#sort.add({ key: edgeKey(type, from, to), line, overAtMs });
    if (!this.#withEnds) return;
    this.#mention(model.from, from, overAtMs);
    this.#mention(model.to, to, overAtMs);
  }

  #mention(type: string, id: string, overAtMs: number): void {
    const node: MentionedNode = { kind: "mentioned", type, id };
    this.#sort.add({ key: nodeKey(type, id), line: JSON.stringify(node), overAtMs });
  }
}

function overAt({ lastSeen }: LineElement, ttlMs: number): number {
  return ttlMs === Infinity ? Infinity : Date.parse(lastSeen) + ttlMs;
}

function unknownType(type: string): RdgError {
  return new RdgError("conflict", "unknown_type", `The definition has no type "${type}".`, {
    hint: "The definition changed meanwhile: export once more.",
  });
}

/** One line per key: the last that was read, and a mention only where nothing else is known. A scan meets an element twice that is removed and comes back meanwhile. */
function* latest(sort: ExternalSort, asOfMs: number): Generator<string> {
  let held: { readonly key: string; readonly line: string } | undefined;
  for (const { key, line, overAtMs } of sort.sorted()) {
    if (overAtMs <= asOfMs) continue;
    if (held !== undefined && held.key !== key) yield held.line;
    if (held === undefined || held.key !== key || !isMention(line)) held = { key, line };
  }
  if (held !== undefined) yield held.line;
}
