// What entries of a store that is elsewhere have seen: positions that had been applied at moments of the past, and marks that name them among processes.
import { hash } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import type { AppliedPositions } from "../../store/port.ts";

/** What was known to be applied at a moment: reads that began later have seen it. */
export interface Sample {
  readonly atMs: number;
  readonly positions: AppliedPositions;
}

/** Positions are remembered so many times within the time that entries live. */
const samplesPerTtl = 8;

/** Entries that are younger than `ttlMs` have all seen what is told as applied. */
export class SeenPositions {
  readonly ttlMs: number;
  readonly #clock: Clock;
  readonly #samples: Sample[] = [];
  /** Applied through this process's cache, by source: whoever applied it sees it from then on. */
  readonly #own = new Map<string, number>();

  constructor(clock: Clock, ttlMs: number) {
    this.#clock = clock;
    this.ttlMs = ttlMs;
  }

  /** Before the first positions are known nothing may be held: nothing could be said of it. */
  get isKnown(): boolean {
    return this.#samples.length > 0;
  }

  /** @param now what is applied now */
  oldest(now: AppliedPositions): AppliedPositions {
    const nowMs = this.#clock.monotonicMs();
    const last = this.#samples.at(-1);
    if (last === undefined || nowMs - last.atMs >= this.ttlMs / samplesPerTtl) {
      this.#samples.push({ atMs: nowMs, positions: now });
    }
    while (this.#samples.length > 1 && nowMs - this.#samples[1]!.atMs >= this.ttlMs) this.#samples.shift();
    return this.#samples[0]!.positions;
  }

  applied(source: string, offset: number): void {
    this.#own.set(source, Math.max(offset, this.#own.get(source) ?? -1));
  }

  /** What a read has seen for certain that began at `readMs`. */
  sampleBefore(readMs: number): Sample | undefined {
    return this.#samples.findLast(({ atMs }) => atMs <= readMs);
  }

  /** As if it had been read here: the latest moment whose positions have all been seen. Undefined when that is too long ago. */
  momentOf(seen: AppliedPositions): number | undefined {
    for (const [source, offset] of this.#own) if ((seen.sources.get(source) ?? -1) < offset) return undefined;
    const nowMs = this.#clock.monotonicMs();
    const sample = this.#samples.findLast(({ positions }) => covers(seen, positions));
    return sample !== undefined && nowMs - sample.atMs < this.ttlMs ? sample.atMs : undefined;
  }
}

function covers(seen: AppliedPositions, other: AppliedPositions): boolean {
  for (const [source, offset] of other.sources) if ((seen.sources.get(source) ?? -1) < offset) return false;
  const inputs = new Map(seen.inputs.map(({ topic, partition, offset }) => [`${partition} ${topic}`, offset]));
  return other.inputs.every(({ topic, partition, offset }) => (inputs.get(`${partition} ${topic}`) ?? -1) >= offset);
}

/** Positions as other processes read them. */
export function writePositions({ sources, inputs }: AppliedPositions): Uint8Array {
  const written = {
    sources: [...sources].sort(([a], [b]) => (a < b ? -1 : 1)),
    inputs: inputs.map(({ topic, partition, offset }) => [topic, partition, offset]),
  };
  return Buffer.from(JSON.stringify(written));
}

/** Undefined for what `writePositions` did not write. */
export function readPositions(bytes: Uint8Array): AppliedPositions | undefined {
  try {
    const read = JSON.parse(Buffer.from(bytes).toString()) as { sources: unknown[][]; inputs: unknown[][] };
    const offsets = [...read.sources.map(([, offset]) => offset), ...read.inputs.map(([, , offset]) => offset)];
    if (!offsets.every((offset) => Number.isSafeInteger(offset))) return undefined;
    return {
      sources: new Map(read.sources.map(([source, offset]) => [String(source), Number(offset)])),
      inputs: read.inputs.map(([topic, partition, offset]) => {
        return { topic: String(topic), partition: Number(partition), offset: Number(offset) };
      }),
    };
  } catch {
    return undefined;
  }
}

/** Bytes of a mark. */
export const markBytes = 12;

/** The name of positions: equal ones have equal names, in every process. */
export function markOf(positions: Uint8Array): Buffer {
  return hash("sha256", positions, "buffer").subarray(0, markBytes);
}
