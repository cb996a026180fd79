// One enrichment: its function behind a cache, an adaptive limit and a timeout, and the check of what it gives.
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import { WeighedCache } from "../../core/weighed-cache.ts";
import { type RecordValidator, compileRecordValidator } from "../../model/avro/json-record.ts";
import { propertyValue } from "../../model/define/concrete-update.ts";
import type { AnyEnrichment, EnrichmentModel } from "../../model/define/enrichment.ts";
import type { ValueType } from "../../model/definition.ts";
import type { JsonValue } from "../../model/traversal.ts";
import { AdaptiveLimit } from "../concurrency/adaptive-limit.ts";
import type { EnrichmentRequest } from "../enrichments.ts";
import { jsonOf } from "../questions/answers.ts";

export type EnrichedValue = { readonly [name: string]: JsonValue } | null;

/**
 * - `too_large`: the answer has no room for more;
 * - `timeout`: the function took longer than it may; `deadline`: the request's time was over; `busy`: too many calls were waiting already;
 * - `failed`: it threw; `invalid`: what it gave is not what the definition says.
 */
export type FailureCause = "too_large" | "timeout" | "deadline" | "busy" | "failed" | "invalid";

export interface EnrichmentCacheFigures {
  readonly hits: number;
  readonly misses: number;
  /** In kilobytes, as they are counted against `cacheMax`. */
  readonly weight: number;
  readonly weightMax: number;
  readonly evictions: number;
}

export interface EnrichmentSourceOptions {
  readonly enrichment: AnyEnrichment;
  /** Index of the node type. */
  readonly type: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly notice: (enrichment: string, error: unknown) => void;
}

/** Calls of one request at once. */
const callsMax = 8;
/** Larger values count as wrong. */
const valueBytesMax = 65_536;
const kilobyte = 1_024;
const noticeMs = 10_000;
const writtenOffMs = 5_000;

type Found = (id: string, value: EnrichedValue, kilobytes: number) => void;
type Failed = (count: number, cause: FailureCause) => void;

export class EnrichmentSource {
  readonly type: number;
  readonly limit: AdaptiveLimit;
  readonly #options: EnrichmentSourceOptions;
  readonly #model: EnrichmentModel;
  readonly #record: ValueType;
  readonly #validate: RecordValidator;
  readonly #cache: WeighedCache<{ readonly value: EnrichedValue; readonly weight: number; readonly readMs: number }>;
  readonly #use = { hits: 0, misses: 0 };
  #noticedMs = -Infinity;

  constructor(options: EnrichmentSourceOptions) {
    const { enrichment, type, clock, timers } = options;
    this.type = type;
    this.#options = options;
    this.#model = enrichment.model;
    this.#record = { kind: "record", fields: enrichment.model.fields };
    this.#validate = compileRecordValidator(enrichment.model.fields);
    this.#cache = new WeighedCache(enrichment.model.cacheMax);
    this.limit = new AdaptiveLimit({ name: `enrichment ${enrichment.name}`, clock, timers });
  }

  get name(): string {
    return this.#model.name;
  }

  get cacheFigures(): EnrichmentCacheFigures {
    const { weight, weightMax, evicted } = this.#cache;
    return { ...this.#use, weight, weightMax, evictions: evicted };
  }

  /** Distinct ids. Resolves when each has a value or has failed, or the caller has gone. */
  async load(ids: readonly string[], request: EnrichmentRequest, found: Found, failed: Failed): Promise<void> {
    const missing = request.cache ? this.#held(ids, found) : ids;
    const { batchMax } = this.#model;
    let next = 0;
    const callOneByOne = async (): Promise<void> => {
      while (next < missing.length && !request.signal.aborted) {
        const batch = missing.slice(next, (next += batchMax));
        await this.#call(batch, request, found, failed);
      }
    };
    const calls = Math.min(callsMax, Math.ceil(missing.length / batchMax));
    await Promise.all(Array.from({ length: calls }, callOneByOne));
  }

  /** Tells what is held and still fresh; returns the others. */
  #held(ids: readonly string[], found: Found): readonly string[] {
    const { ttlMs } = this.#model;
    if (ttlMs === 0) return ids;
    const nowMs = this.#options.clock.monotonicMs();
    const missing = ids.filter((id) => {
      const held = this.#cache.get(id);
      if (held === undefined || nowMs - held.readMs >= ttlMs) return true;
      found(id, held.value, held.weight);
      return false;
    });
    this.#use.hits += ids.length - missing.length;
    this.#use.misses += missing.length;
    return missing;
  }

  async #call(ids: readonly string[], request: EnrichmentRequest, found: Found, failed: Failed): Promise<void> {
    const { clock, timers } = this.#options;
    const startedMs = clock.monotonicMs();
    const timeout = new AbortController();
    const leftMs = request.deadlineMs - startedMs;
    const timeoutMs = Math.min(this.#model.timeoutMs, Math.max(0, leftMs));
    const timedOut: FailureCause = leftMs <= this.#model.timeoutMs ? "deadline" : "timeout";
    const signal = AbortSignal.any([request.signal, timeout.signal]);
    const cancel = timers.after(timeoutMs, () => timeout.abort(new TimedOut()));
    try {
      const values = await this.#load(ids, signal, startedMs + timeoutMs);
      this.#take(ids, values, startedMs, request.cache, found, failed);
    } catch (error) {
      if (request.signal.aborted) return;
      const isLate = timeout.signal.aborted || clock.monotonicMs() >= startedMs + timeoutMs;
      const isRefused = error instanceof RdgError && error.code === "store_busy";
      failed(ids.length, isLate ? timedOut : isRefused ? "busy" : "failed");
      this.#notice(error);
    } finally {
      cancel();
    }
  }

  /** Under the limit, and no longer than until the signal is aborted. */
  async #load(ids: readonly string[], signal: AbortSignal, deadlineMs: number): Promise<unknown> {
    const { clock, timers, enrichment } = this.#options;
    const permit = await this.limit.enter({ signal, deadlineMs });
    const startedMs = clock.monotonicMs();
    const { promise: givenUp, reject } = Promise.withResolvers<never>();
    const giveUp = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", giveUp);
    const units = ids.length / this.#model.batchMax;
    // The function may throw before it returns a promise.
    const loading = Promise.resolve().then(() => enrichment.load(ids, { signal }));
    try {
      const values = await Promise.race([loading, givenUp]);
      permit.end("fine", clock.monotonicMs() - startedMs, units);
      return values;
    } catch (error) {
      const outcome = error instanceof TimedOut ? "late" : signal.aborted ? "ignored" : "failed";
      const tookMs = clock.monotonicMs() - startedMs;
      // Given up, it may go on all the same: it holds its place, but not for ever.
      const cancel = timers.after(writtenOffMs, () => permit.end("failed", tookMs, units));
      const end = (): void => {
        cancel();
        permit.end(outcome, tookMs, units);
      };
      loading.then(end, end);
      throw error;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  #take(ids: readonly string[], values: unknown, readMs: number, keeps: boolean, found: Found, failed: Failed): void {
    if (!(values instanceof Map)) {
      failed(ids.length, "invalid");
      return this.#notice(invalid("it gave no Map"));
    }
    for (const id of ids) {
      const given: unknown = values.get(id);
      let value: EnrichedValue = null;
      if (given !== undefined && given !== null) {
        const checked = this.#checked(id, given);
        if (checked === undefined) {
          failed(1, "invalid");
          continue;
        }
        value = checked;
      }
      const weight = weightOf(id, value);
      found(id, value, weight);
      if (keeps && this.#model.ttlMs > 0) this.#cache.set(id, { value, weight, readMs }, weight);
    }
  }

  #checked(id: string, given: unknown): EnrichedValue | undefined {
    try {
      const [problem] = this.#validate(given);
      if (problem !== undefined)
        throw invalid(`${problem.field === "" ? "its value" : problem.field}: ${problem.reason}`);
      const value = jsonOf(this.#record, propertyValue(this.#record, given)) as EnrichedValue;
      if (JSON.stringify(value).length > valueBytesMax)
        throw invalid(`its value is larger than ${valueBytesMax} bytes`);
      return value;
    } catch (error) {
      this.#notice(new RdgError("invalid", "bad_enrichment", `For ${JSON.stringify(id)}: ${(error as Error).message}`));
      return undefined;
    }
  }

  #notice(error: unknown): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#noticedMs < noticeMs) return;
    this.#noticedMs = nowMs;
    this.#options.notice(this.name, error);
  }
}

class TimedOut extends Error {
  override readonly message = "It took too long.";
}

function invalid(what: string): RdgError {
  return new RdgError("invalid", "bad_enrichment", `${what}.`);
}

/** In kilobytes, at least one. */
function weightOf(id: string, value: EnrichedValue): number {
  return Math.max(1, Math.ceil((id.length + JSON.stringify(value).length) / kilobyte));
}
