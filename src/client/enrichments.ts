// What enrichments of the definition add to the rows of nodes.
import type { AnyNode } from "../model/define/declaration.ts";
import type { AnyAskedEnrichment, AskedEnrichment } from "../model/define/enrichment.ts";
import type { Value } from "../model/define/field.ts";

export type EnrichedBy<D, N extends AnyAskedEnrichment> = [N] extends [never]
  ? unknown
  : {
      /** By name; null where the enrichment has nothing for the node, or failed. */
      readonly enriched: {
        readonly [X in N as D extends X["on"] ? X["name"] : never]: ValueOf<X> | null;
      };
    };

type ValueOf<X> = X extends AskedEnrichment<string, AnyNode, infer F> ? Value<F> : never;
