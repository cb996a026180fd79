// What happens in one simulation, as data that a seed decides: who sends what when, and what goes wrong. Leaving steps out changes no other step.
import { type Random, seededRandom } from "../../src/core/random.ts";
import type { GraphSettings } from "./graph.ts";

/**
 * How a client makes sure of its events: `keyed` repeats its request under an idempotency key until it is answered, `hasty` also while the first is still under
 * way; `ids` repeats events that carry ids, without a key, `twice` also after they were answered; `once` sends and never repeats.
 */
export type Manner = "keyed" | "hasty" | "ids" | "twice" | "once";

export type Step = { readonly atMs: number; readonly seed: number } & (
  | { readonly kind: "events"; readonly event: "play" | "leave"; readonly manner: Manner; readonly count: number }
  | { readonly kind: "rows"; readonly count: number }
  /** The process ends without notice: killed at once, killed within one of its next calls of the disk, or with the power. */
  | {
      readonly kind: "crash";
      readonly how: "kill" | "call" | "power";
      readonly downMs: number;
      readonly upgrade: boolean;
    }
  | { readonly kind: "close"; readonly downMs: number; readonly upgrade: boolean }
  /** One in so many calls of the disk fails. */
  | { readonly kind: "disk"; readonly forMs: number; readonly oneIn: number }
  /** Calls of the disk take up to so long. */
  | { readonly kind: "slow"; readonly forMs: number; readonly delayMs: number }
  /** The store takes nothing. */
  | { readonly kind: "refusal"; readonly forMs: number }
  /** One in so many calls of the log fails although nothing is wrong with the disk: before it is done, or after. */
  | { readonly kind: "log"; readonly forMs: number; readonly oneIn: number }
  | { readonly kind: "jump"; readonly ms: number }
  | { readonly kind: "pause"; readonly event: "play" | "leave"; readonly forMs: number }
  /** The store's newest checkpoint may turn out to be damaged later. */
  | { readonly kind: "checkpoint"; readonly damaged: boolean }
  | { readonly kind: "maintain" }
);

export interface Story {
  readonly seed: number;
  readonly graph: GraphSettings;
  readonly segmentBytes: number;
  readonly tailBytes: number;
  readonly delayMs: number;
  readonly memberCount: number;
  readonly titleCount: number;
  readonly steps: readonly Step[];
}

const lengthMs = 12_000;
/** How far a clock is set: less than events may be from the future. */
export const jumpMaxMs = 120_000;

/** The story of a seed, or only these steps of it. */
export function storyOf(seed: number, kept?: readonly number[]): Story {
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)]!;
  const steps = Array.from({ length: 4 + random.below(24) }, () => randomStep(random, pick));
  return {
    seed,
    graph: {
      partitions: 1 + random.below(3),
      horizonMs: pick([2000, 20_000, 3_600_000]),
      windowMs: pick([0, 20, 300, 2000]),
      windowKeys: pick([1, 4, 1000]),
      windowBytes: pick([1024, 1_000_000]),
    },
    segmentBytes: pick([2000, 8000, 1_000_000]),
    tailBytes: pick([0, 1000, 1_000_000]),
    delayMs: pick([0, 2, 20, 150]),
    memberCount: pick([1, 4, 12]),
    titleCount: 1 + random.below(3),
    steps: steps.sort((a, b) => a.atMs - b.atMs).filter((_, i) => kept?.includes(i) ?? true),
  };
}

/** How often each kind of step occurs, relative to the others. */
const weights = {
  events: 18,
  rows: 6,
  crash: 5,
  close: 2,
  disk: 2,
  slow: 1,
  refusal: 1,
  log: 3,
  jump: 1,
  pause: 2,
  checkpoint: 1,
  maintain: 1,
} as const satisfies Record<Step["kind"], number>;
const kinds = Object.entries(weights).flatMap(([kind, weight]) =>
  Array<Step["kind"]>(weight).fill(kind as Step["kind"]),
);

function randomStep(random: Random, pick: <T>(from: readonly T[]) => T): Step {
  const base = { atMs: random.below(lengthMs), seed: random.below(2 ** 31) };
  const downMs = pick([1, 100, 1000, 15_000]);
  const forMs = 1 + random.below(pick([100, 4000]));
  const kind = pick(kinds);
  switch (kind) {
    case "events": {
      const event = pick(["play", "play", "play", "leave"] as const);
      const manner = event === "leave" ? pick(leaveManners) : pick(playManners);
      return { ...base, kind, event, manner, count: 1 + random.below(pick([1, 4, 12])) };
    }
    case "rows":
      return { ...base, kind, count: 1 + random.below(6) };
    case "crash":
      return {
        ...base,
        kind,
        how: pick(["kill", "call", "call", "power", "power"]),
        downMs,
        upgrade: random.below(4) === 0,
      };
    case "close":
      return { ...base, kind, downMs, upgrade: random.below(3) === 0 };
    case "disk":
      return { ...base, kind, forMs, oneIn: pick([1, 3, 20]) };
    case "slow":
      return { ...base, kind, forMs, delayMs: pick([50, 1000]) };
    case "refusal":
      return { ...base, kind, forMs };
    case "log":
      return { ...base, kind, forMs, oneIn: pick([1, 3, 10]) };
    case "jump":
      return { ...base, kind, ms: (random.below(2) === 0 ? -1 : 1) * random.below(jumpMaxMs) };
    case "pause":
      return { ...base, kind, event: pick(["play", "leave"]), forMs: 1 + random.below(20_000) };
    case "checkpoint":
      return { ...base, kind, damaged: random.below(2) === 0 };
    case "maintain":
      return { ...base, kind };
  }
}

const leaveManners = ["keyed", "hasty", "once"] as const;
const playManners = [...leaveManners, "ids", "twice", "twice"] as const;
