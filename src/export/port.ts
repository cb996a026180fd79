// An export: the visible graph as lines of JSON that say themselves where they end. docs/export.md has the form for readers in other languages.
//
// The first line is the header, the last one the end; between them stands one line per element, in canonical form (canonical-line.ts). Two orders exist:
//  - `scan`: as the store yields the elements, while updates go on. What a server streams.
//  - `canonical`: nodes before edges, then by type and ids, as bytes of UTF-8. Equal graphs of one definition give equal bytes, whatever engine holds them.

export const exportFormat = "rdg-export";
export const exportVersion = 1;

export interface ExportHeader {
  readonly kind: "header";
  readonly format: typeof exportFormat;
  readonly version: typeof exportVersion;
  /** Name of the graph, and the fingerprint of its definition as it was written. */
  readonly graph: string;
  readonly fingerprint: string;
  readonly order: "scan" | "canonical";
  /** In order `scan`, and where it was asked for: everything up to these positions of events was applied when the export began. */
  readonly inputs?: readonly string[];
  /** Where it was asked for: the moment as of which elements are expired or not. */
  readonly asOf?: string;
}

/** A file that ends otherwise was cut. */
export interface ExportEnd {
  readonly kind: "end";
  /** Elements of each type that has any, by name. */
  readonly nodes: Readonly<Record<string, number>>;
  readonly edges: Readonly<Record<string, number>>;
  /** In order `scan`: the time when the scan was over; what had expired by then is still to be left out. */
  readonly asOf?: string;
  /** The last member. Of all bytes before the comma that parts it from the one before it: of the file but its last 78 bytes. */
  readonly sha256: string;
}

/** What a server exports. */
export interface GraphExport {
  /**
   * The bytes of an export in order `scan`, as fast as they are taken. Nothing of the graph is held for it. An element that is visible all the while and
   * does not change is in it once, as it is; one that changes meanwhile is in it whole, as of some moment between begin and end, or not at all.
   */
  scan(signal: AbortSignal): AsyncIterable<Uint8Array>;
}
