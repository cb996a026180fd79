// Runs a definition's enrichments for requests: in batches, a few at a time, each enrichment under a limit of its own, and whatever goes wrong is told in the
// answer instead of failing it.
import type { Clock, Timers } from "../../core/clock.ts";
import { didYouMean } from "../../core/did-you-mean.ts";
import { RdgError } from "../../core/errors.ts";
import type { AnyEnrichment } from "../../model/define/enrichment.ts";
import type { GraphModel } from "../../model/definition.ts";
import type { EnrichmentAnswer } from "../../model/traversal.ts";
import type { LimitFigures } from "../concurrency/adaptive-limit.ts";
import type { EnrichmentRequest, EnrichmentRun, Enrichments } from "../enrichments.ts";
import type { NodeEnrichment } from "../port.ts";
import { type EnrichmentCacheFigures, type EnrichedValue, EnrichmentSource, type FailureCause } from "./source.ts";

export interface EnricherOptions {
  readonly enrichments: Iterable<AnyEnrichment>;
  readonly model: GraphModel;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Told why values are missing, for the log: at most every few seconds per enrichment. */
  readonly notice: (enrichment: string, error: unknown) => void;
}

export interface EnricherFigures {
  readonly limits: readonly LimitFigures[];
  readonly caches: readonly (EnrichmentCacheFigures & { readonly name: string })[];
}

/** Of the values in one answer; each counts as one at least. */
const kilobytesMax = 256 * 1_024;

export class Enricher implements Enrichments {
  readonly #sources: ReadonlyMap<string, EnrichmentSource>;
  readonly #clock: Clock;

  constructor({ enrichments, model, clock, timers, notice }: EnricherOptions) {
    this.#clock = clock;
    const tell = (source: string, error: unknown): void => notice(source, error);
    this.#sources = new Map(
      Array.from(enrichments, (enrichment) => {
        const type = model.nodes.findIndex(({ name }) => name === enrichment.on.name);
        return [enrichment.name, new EnrichmentSource({ enrichment, type, clock, timers, notice: tell })];
      }),
    );
  }

  get figures(): EnricherFigures {
    const sources = [...this.#sources.values()];
    return {
      limits: sources.map((source) => source.limit.figures),
      caches: sources.map((source) => ({ name: source.name, ...source.cacheFigures })),
    };
  }

  open(names: readonly string[], request: EnrichmentRequest): EnrichmentRun {
    const sources = names.map((name, i) => {
      const source = this.#sources.get(name);
      if (source !== undefined) return source;
      throw new RdgError("invalid", "unknown_enrichment", `There is no enrichment "${name.slice(0, 100)}".`, {
        place: `/enrich/${i}`,
        hint: this.#sources.size === 0 ? "The definition declares none." : didYouMean(name, this.#sources.keys()),
      });
    });
    return new Run(sources, request, this.#clock);
  }
}

/** One enrichment of one request. Values are loaded once per id, on however many levels it is. */
interface Asked {
  readonly source: EnrichmentSource;
  readonly known: Map<string, EnrichedValue>;
  failed: number;
  cause: FailureCause | undefined;
}

class Run implements EnrichmentRun {
  readonly #asked: readonly Asked[];
  readonly #request: EnrichmentRequest;
  readonly #clock: Clock;
  #kilobytesLeft = kilobytesMax;

  constructor(sources: readonly EnrichmentSource[], request: EnrichmentRequest, clock: Clock) {
    this.#asked = sources.map((source) => ({ source, known: new Map(), failed: 0, cause: undefined }));
    this.#request = request;
    this.#clock = clock;
  }

  async nodes(type: number, ids: readonly string[]): Promise<readonly NodeEnrichment[]> {
    const about = this.#asked.filter(({ source }) => source.type === type);
    await Promise.all(about.map((asked) => this.#load(asked, ids)));
    this.#request.signal.throwIfAborted();
    return about.map(({ source, known }) => ({ name: source.name, values: ids.map((id) => known.get(id) ?? null) }));
  }

  async #load(asked: Asked, ids: readonly string[]): Promise<void> {
    const { source, known } = asked;
    const missing = ids.filter((id) => !known.has(id));
    if (missing.length === 0) return;
    // Also while they are under way and when they fail, they are asked for once.
    for (const id of missing) known.set(id, null);
    const failed = (count: number, cause: FailureCause): void => {
      asked.failed += count;
      asked.cause ??= cause;
    };
    const isLate = this.#clock.monotonicMs() >= this.#request.deadlineMs;
    if (isLate) return failed(missing.length, "deadline");
    const found = (id: string, value: EnrichedValue, kilobytes: number): void => {
      this.#kilobytesLeft -= kilobytes;
      if (this.#kilobytesLeft < 0) failed(1, "too_large");
      else known.set(id, value);
    };
    await source.load(missing, this.#request, found, failed);
  }

  answers(): readonly EnrichmentAnswer[] {
    return this.#asked.map(({ source: { name }, known, failed, cause }) => ({
      name,
      nodes: known.size,
      failed,
      ...(cause && { cause }),
    }));
  }
}
