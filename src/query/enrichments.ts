// What traversals ask of enrichments: values for nodes from functions that the definition names, opt-in per request, failing open.
import type { EnrichmentAnswer } from "../model/traversal.ts";
import type { NodeEnrichment } from "./port.ts";

export interface Enrichments {
  /** For one request, whose names are distinct. @throws RdgError invalid, `unknown_enrichment`, with the place `/enrich/<index>` */
  open(names: readonly string[], request: EnrichmentRequest): EnrichmentRun;
}

export interface EnrichmentRequest {
  readonly signal: AbortSignal;
  /** Monotonic. */
  readonly deadlineMs: number;
  /** false: nothing is taken from a cache, nothing is put into it. */
  readonly cache: boolean;
}

export interface EnrichmentRun {
  /** One column per enrichment that is about this node type (by index), a value or null per id; never rejects but when the request is given up. */
  nodes(type: number, ids: readonly string[]): Promise<readonly NodeEnrichment[]>;
  /** How each went, in the order asked for. */
  answers(): readonly EnrichmentAnswer[];
}
