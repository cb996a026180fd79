// Bounds of a producer, with their defaults.
import { didYouMean } from "../core/did-you-mean.ts";
import { RdgError } from "../core/errors.ts";

export interface ProducerOptions {
  /** Events of one request at most; default 1,000. */
  readonly batch?: number;
  /** Bytes of one request at most, JSON, a single larger event aside; default 1,000,000. */
  readonly batchBytes?: number;
  /** How long an event waits for others; default 5 ms. */
  readonly lingerMs?: number;
  /** Requests under way at once; default 4. */
  readonly inFlightMax?: number;
  /** Bytes of events that are not durable yet; beyond them `send` waits. Default 16,000,000. */
  readonly bufferedBytesMax?: number;
  /** Calls of `send` that wait for room; more are rejected with `producer_full`. Default 100,000. */
  readonly waitingMax?: number;
  /** For how long a batch is tried again, at most 50 minutes: the server knows a batch again for an hour. Default 2 minutes. */
  readonly deliveryTimeoutMs?: number;
}

const defaults: Required<ProducerOptions> = {
  batch: 1_000,
  batchBytes: 1_000_000,
  lingerMs: 5,
  inFlightMax: 4,
  bufferedBytesMax: 16_000_000,
  waitingMax: 100_000,
  deliveryTimeoutMs: 120_000,
};

const ranges: Readonly<Record<keyof ProducerOptions, readonly [number, number]>> = {
  batch: [1, 100_000],
  batchBytes: [1, 16_000_000],
  lingerMs: [0, 60_000],
  inFlightMax: [1, 64],
  bufferedBytesMax: [1, 1_000_000_000],
  waitingMax: [0, 10_000_000],
  deliveryTimeoutMs: [1, 50 * 60_000],
};

/** @throws RdgError invalid */
export function optionsOf(options: ProducerOptions): Required<ProducerOptions> {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const all: Required<ProducerOptions> = { ...defaults, ...given };
  for (const name of Object.keys(options)) {
    if (name in defaults) continue;
    throw new RdgError("invalid", "unknown_option", `A producer has no option "${name}".`, {
      hint: didYouMean(name, Object.keys(defaults)),
    });
  }
  for (const [name, [least, most]] of Object.entries(ranges)) {
    const value = all[name as keyof ProducerOptions];
    if (Number.isInteger(value) && value >= least && value <= most) continue;
    throw new RdgError(
      "invalid",
      "out_of_range",
      `${name} is an integer from ${least} to ${most}, not ${String(value)}.`,
      {
        place: name,
      },
    );
  }
  return all;
}
