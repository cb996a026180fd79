// What enrichments of the definition add to the rows of nodes.
import type { AnyNode } from "../model/define/declaration.ts";

export interface AnyEnrichment {
  readonly kind: "enrichment";
  readonly name: string;
  readonly node: AnyNode;
  readonly $value?: unknown;
}

export type EnrichedBy<D, N extends AnyEnrichment> = [N] extends [never]
  ? unknown
  : {
      /** By name; null where the enrichment has nothing for the node, or failed. */
      readonly enriched: {
        readonly [X in N as D extends X["node"] ? X["name"] : never]: Exclude<X["$value"], undefined> | null;
      };
    };
